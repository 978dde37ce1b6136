"""The channels that clients of this process listen on: one subscription of the bus for all who listen on the same.

What is pushed is written once as the clients are to see it, and handed to each of them.
"""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from services.triggers.shares import Shares
from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.channels import Ear, Hearing
from shared.bus.notices import Pushed
from shared.domain.problem import Problem

Deliver = Callable[[Any], None]
"""Takes a message for one client, at once: who is slow keeps what he has not sent himself, within bounds of his own."""
Form = Callable[[Pushed], Any]
"""Writes a message once as a sort of client sees it, for all clients of this sort: text or bytes, as they take it."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Pushed)


def frame(pushed: Pushed) -> str:
    """A message as it is told to a socket."""
    told: dict[str, object] = {"type": "message", "channel": pushed.channel}
    if pushed.event:
        told["event"] = pushed.event
    told["payload"] = pushed.payload
    return _encoder.encode(told).decode()


class _Key(NamedTuple):
    tenant: str
    app: int
    channel: str


class _Line:
    """One channel: who listens, and by which subscription."""

    def __init__(self, key: _Key, watch: Callable[[Exception], None]) -> None:
        self.key = key
        self.users = 0  # those who listen, and those who are about to
        self.listeners: dict[Form, dict[Subscription, Deliver]] = {}
        self.opening: asyncio.Task[Hearing]
        self._watch = watch

    def heard(self, data: bytes) -> None:
        """Hand a message to all who listen now."""
        pushed = _decoder.decode(data)
        for form, listeners in self.listeners.items():
            told = form(pushed)
            for deliver in list(listeners.values()):
                try:
                    deliver(told)
                except Exception as error:  # noqa: BLE001 - one client's fault is not the loss of all behind it
                    self._watch(error)


class Subscription:
    """One client's on one channel."""

    def __init__(self, hub: "Hub", line: _Line, form: Form) -> None:
        self._hub = hub
        self._line: _Line | None = line
        self._form = form

    async def leave(self) -> None:
        """Listen no more, from now on. A second time does nothing."""
        line, self._line = self._line, None
        if line is None:
            return
        others = line.listeners[self._form]
        others.pop(self, None)
        if not others:
            del line.listeners[self._form]
        self._hub.release(line)


class Hub:
    """All channels of this process.

    At most `most` are open at once, `most_of_tenant` of them one tenant's. One is kept for `grace_s` after the last
    listener has left: many come back.
    """

    def __init__(self, bus: Bus, *, most: int = 20_000, most_of_tenant: int = 10_000, grace_s: float = 5.0) -> None:
        self._bus = bus
        self._ear = Ear(bus)
        self._most = most
        self._grace_s = grace_s
        self._lines: dict[_Key, _Line] = {}
        self._shares = Shares(most_of_tenant)
        self._idle: dict[_Key, asyncio.TimerHandle] = {}  # in the order in which they were left

    def __len__(self) -> int:
        return len(self._lines)

    async def join(
        self, tenant: str, app_id: int, channel: str, deliver: Deliver, *, form: Form = frame
    ) -> Subscription:
        """Listen on a channel; returns when nothing that is pushed from now on is missed.

        Raises Problem(unavailable, rate_limited).
        """
        key = _Key(tenant, app_id, channel)
        line = self._lines.get(key) or self._opened(key)
        line.users += 1
        if key in self._idle:
            self._idle.pop(key).cancel()
        try:
            await asyncio.shield(line.opening)
        except BaseException:
            self.release(line)
            raise
        subscription = Subscription(self, line, form)
        line.listeners.setdefault(form, {})[subscription] = deliver
        return subscription

    def release(self, line: _Line) -> None:
        """One less uses it: after the last one it is closed, in a while."""
        line.users -= 1
        if line.users == 0 and self._lines.get(line.key) is line:
            later = asyncio.get_running_loop().call_later(self._grace_s, self._drop, line.key)
            self._idle[line.key] = later

    async def close(self) -> None:
        """Close every channel, whoever listens."""
        for key in list(self._lines):
            self._drop(key)

    def _opened(self, key: _Key) -> _Line:
        self._make_room(key.tenant)
        line = _Line(key, lambda error: self._bus.watch.fault("a message was not delivered", error))
        line.opening = asyncio.create_task(self._ear.hear(subjects.channel(*key), line.heard))
        line.opening.add_done_callback(lambda opening: self._ended(line, opening))
        self._lines[key] = line
        self._shares.take(key.tenant)
        return line

    def _ended(self, line: _Line, opening: "asyncio.Task[Hearing]") -> None:
        """One that could not be opened is not there: who joins next tries anew."""
        if (opening.cancelled() or opening.exception() is not None) and self._lines.get(line.key) is line:
            self._forget(line.key)

    def _make_room(self, tenant: str) -> None:
        """Raises Problem(rate_limited, unavailable)."""
        if self._shares.is_out(tenant):
            self._drop_idle(tenant)
            if self._shares.is_out(tenant):
                raise Problem("rate_limited", f"{self._shares.most} channels are open already", retry_after_s=5)
        if len(self._lines) >= self._most:
            self._drop_idle("")
            if len(self._lines) >= self._most:
                raise Problem("unavailable", f"{self._most} channels are open already")

    def _drop_idle(self, tenant: str) -> None:
        """Close what nobody listens on before its time, of one tenant or of all."""
        for key in [key for key in self._idle if not tenant or key.tenant == tenant]:
            self._drop(key)

    def _drop(self, key: _Key) -> None:
        line = self._forget(key)
        self._bus.mind(_closed(line))

    def _forget(self, key: _Key) -> _Line:
        line = self._lines.pop(key)
        if key in self._idle:
            self._idle.pop(key).cancel()
        self._shares.give_back(key.tenant)
        return line


async def _closed(line: _Line) -> None:
    """Stop it, however far it has come."""
    opening = line.opening
    del line.opening  # it refers to the subscription, which refers to the line: they would pile up for the collector
    try:
        hearing = await opening
    except Problem:
        return
    await hearing.stop()
