"""One open socket: its messages become runs in the order in which they came, and are answered in that order.

An idle one is this object and its line: no task, no timer, no buffer. Two tasks work while there is something to do:
one submits, one answers.
"""

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from services.triggers.config import Triggers
from services.triggers.kinds.websocket import replies
from services.triggers.kinds.websocket.admission import Who
from services.triggers.kinds.websocket.backlog import Backlog
from services.triggers.kinds.websocket.frames import Channel, Control, Event, Wrong, message_of
from services.triggers.kinds.websocket.runs import Peer, Run, Runs
from services.triggers.kinds.websocket.subscribing import Subscribing
from shared import telemetry
from shared.websocket import FAULT, LATER, POLICY, RESTART, Line, text_frame

Under = Sequence[Run] | str
"""What is under way for a message: runs, or an answer that is there already."""

_log = telemetry.logger("realtime")
_BEHIND = "You take too little of what you are sent"


class Host(Protocol):
    """What a socket needs of those who have it."""

    settings: Triggers
    runs: Runs
    backlog: Backlog

    def channels_of(self, socket: "Socket") -> Subscribing:
        """What it listens to: nothing yet."""

    def gone(self, socket: "Socket") -> None:
        """It is closed."""

    def mind(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this, and see to it that it is not forgotten."""


class Socket:
    """One client's. Implements shared.websocket.Taker."""

    __slots__ = (
        "_answering",
        "_channels",
        "_gone",
        "_host",
        "_inbox",
        "_leaving",
        "_room",
        "_submitting",
        "_under_way",
        "heard_at",
        "line",
        "peer",
        "spokes",
        "who",
    )

    def __init__(self, host: Host, who: Who, peer: Peer) -> None:
        self._host = host
        self.who = who
        self.peer = peer
        self.line: Line
        self.spokes: tuple[int, int] = (0, 0)
        self.heard_at = asyncio.get_running_loop().time()
        # None while there is nothing in it: most sockets are idle.
        self._inbox: deque[str] | None = None
        self._under_way: deque[Under] | None = None
        self._room: asyncio.Future[None] | None = None  # for more to be sent
        self._channels: Subscribing | None = None
        self._submitting = False
        self._answering = False
        self._leaving = False
        self._gone = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way, and nothing is listened to."""
        return not (self._submitting or self._answering or self._channels)

    def say(self, text: str) -> None:
        """Send a frame now, whatever is under way; a client that is too far behind loses its socket instead."""
        self.push(text_frame(text))

    def push(self, framed: bytes) -> None:
        """`say`, for a frame that many get."""
        line = self.line
        if line.is_choked and not self._host.backlog.allows(self, line.backlog):
            line.end(LATER, _BEHIND)
        else:
            line.send(framed)

    def heard(self, text: str) -> None:
        """A message has come."""
        self.heard_at = asyncio.get_running_loop().time()
        if self._leaving:
            return
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append(text)
        if not self._submitting:
            self._submitting = True
            self._host.mind(self._submit())
        if len(self._inbox) + len(self._under_way or ()) >= self._host.settings.socket_in_flight:
            self.line.hold()

    def drained(self) -> None:
        """There is room for more to be sent."""
        self._host.backlog.caught_up(self)
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def lost(self) -> None:
        """It is closed: nobody is there for the answers. What was submitted runs all the same."""
        self._leaving = self._gone = True
        self._inbox = None
        self._leave_channels()
        for under in self._under_way or ():
            _give_up(under)
        self.drained()
        self._host.gone(self)

    def leave(self) -> None:
        """Take no more, answer what is under way, and close."""
        self._leaving = True
        self._inbox = None
        self.line.hold()
        self._end_if_idle()
        asyncio.get_running_loop().call_later(self._host.settings.socket_grace_s, self._end)

    def turn_away(self, code: int, sentence: str) -> None:
        """Close it, and say why."""
        self.line.send(text_frame(replies.error(sentence)))
        self.line.end(code, sentence)

    async def _submit(self) -> None:
        try:
            while self._inbox and self._has_room():
                text = self._inbox.popleft()
                if time.time() >= self.who.expires:
                    self.turn_away(POLICY, "The token has expired")
                    return
                under = await self._begun(text)
                if under:
                    self._await_answer(under)
        except Exception as error:  # noqa: BLE001 - the outermost frame: our own fault closes the socket
            self._failed(error)
        finally:
            self._submitting = False
            self._after()
            if self._gone:  # meanwhile, and one may have been joined since
                self._leave_channels()

    async def _begun(self, text: str) -> Under:
        """What is under way for a message; nothing for one without an answer."""
        match message_of(text):
            case Event() as event:
                return await self._host.runs.begin(self.who, event, self.peer)
            case Control(answer):
                telemetry.FRAMES.labels("control").inc()
                if answer:
                    self.say(answer)
                return ""
            case Wrong(message, id):
                telemetry.FRAMES.labels("wrong").inc()
                return replies.error(message, id=id)
            case Channel(message, id):
                telemetry.FRAMES.labels("channel").inc()
                if self._channels is None:
                    self._channels = self._host.channels_of(self)
                return replies.about_channel(await self._channels.frame(message), id)

    def _await_answer(self, under: Under) -> None:
        if self._under_way is None:
            self._under_way = deque()
        self._under_way.append(under)
        if not self._answering:
            self._answering = True
            self._host.mind(self._answer())

    async def _answer(self) -> None:
        try:
            while self._under_way:
                under = self._under_way[0]
                if isinstance(under, str):
                    await self._tell(under)
                else:
                    for run in under:
                        await self._tell(await run.reply())
                self._under_way.popleft()
                self._after()
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(error)
        finally:
            for under in self._under_way or ():  # none, but after a fault
                _give_up(under)
            self._answering = False
            self._under_way = None
            self._end_if_idle()

    async def _tell(self, text: str) -> None:
        """Send an answer, no faster than it is taken."""
        while self.line.is_open and self.line.is_choked:
            self._room = asyncio.get_running_loop().create_future()
            await self._room
            self._room = None
        self.line.send(text_frame(text))

    def _has_room(self) -> bool:
        return len(self._under_way or ()) < self._host.settings.socket_in_flight

    def _after(self) -> None:
        """Something is over: submit what waits for it, or read on."""
        if self._leaving:
            self._end_if_idle()
        elif self._inbox:
            if not self._submitting and self._has_room():
                self._submitting = True
                self._host.mind(self._submit())
        elif not self._submitting:
            self._inbox = None
            if self._has_room():
                self.line.go_on()

    def _leave_channels(self) -> None:
        channels = self._channels
        if channels is not None:
            self._host.mind(channels.close())
            if not self._submitting:
                self._channels = None  # who refers to this

    def _end_if_idle(self) -> None:
        if self._leaving and not self._submitting and not self._answering:
            self._end()

    def _end(self) -> None:
        self.line.end(RESTART, "The platform is restarting")

    def _failed(self, error: Exception) -> None:
        _log.error("a socket failed", connection=self.peer.connection_id, exc_info=error)
        self.line.end(FAULT)


def _give_up(under: Under) -> None:
    if not isinstance(under, str):
        for run in under:
            run.give_up()
