"""The bus: FastStream's broker as the frame, nats-py underneath for what is hot. Neither is named anywhere else.

Foreign exceptions become Problems here: a bus that is away is `unavailable`, a message over its bound `too_large`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import msgspec
import nats.errors
from fast_depends.msgspec import MsgSpecSerializer
from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from shared import tracing
from shared.bus import traced
from shared.bus.delivery import Last, Stored
from shared.bus.laying import lay_consumer, lay_stream
from shared.bus.publisher import AWAY, MESSAGE_ID, Publisher
from shared.bus.servers import servers_of
from shared.bus.streams import UNBOUNDED, Consumer, Stream
from shared.bus.watch import Unwatched, Watch
from shared.domain.function import Function
from shared.domain.problem import Problem

Answer = TypeVar("Answer")
Body = TypeVar("Body")

_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_UNANSWERED = "No service answered; try again in a moment"
_SAY_AGAIN_S = 30.0
_ENCODER = msgspec.json.Encoder()


def encode(body: msgspec.Struct) -> bytes:
    """A message's bytes."""
    return _ENCODER.encode(body)


class UnheardError(Problem):
    """Nobody listens on the subject now, or the bus is away: Problem(unavailable), and known at once."""


class Admission(Protocol):
    """Who may submit, in a process with a door to the outside."""

    def check(self, function: Function) -> None:
        """Raises Problem(rate_limited) where no more calls of the function are taken just now."""

    def accepted(self, function: Function, sequence: int) -> None:
        """A call of it was stored, with this sequence in INVOKE."""


class _Made(msgspec.Struct, frozen=True):
    created: str


class Bus:
    """An open connection. Made by `connect`; every wait on the server is bounded by `timeout_s`."""

    def __init__(self, broker: NatsBroker, client: Client, *, timeout_s: float, watch: Watch) -> None:
        self.broker = broker
        self.client = client
        self.stream: JetStreamContext = client.jetstream(timeout=timeout_s)
        self.timeout_s = timeout_s
        self.watch = watch
        self._publisher = Publisher(client, timeout_s=timeout_s)
        self.admission: Admission | None = None
        self.on_fault: Callable[[], None] | None = None
        self._minded: set[asyncio.Task[None]] = set()
        self._returned: list[Callable[[], None]] = []

    @property
    def connected(self) -> bool:
        """Whether the connection stands now."""
        return self.client.is_connected

    async def store(
        self, subject: str, body: msgspec.Struct, *, id: str, sent: Callable[[], Awaitable[None]] | None = None
    ) -> Stored:
        """Publish durably; returns when JetStream has it. The same `id` again, within the window, stores nothing.

        `sent` is called before that, when the message is on its way (`Publisher.publish`).
        """
        headers = tracing.stamped({MESSAGE_ID: id})
        return await self._publisher.publish(subject, encode(body), headers=headers, sent=sent)

    async def publish(self, subject: str, data: bytes, *, headers: dict[str, str]) -> Stored:
        """Publish durably with the server's headers; Problem(conflict) when a sequence is not the expected one."""
        return await self._publisher.publish(subject, data, headers=headers)

    async def replace(self, subject: str, body: msgspec.Struct, *, last: int) -> int:
        """Publish durably if `last`, 0 for none, is the sequence of the subject's last message; that of the new one.

        Raises Problem(conflict) when somebody else was first, Problem(unavailable).
        """
        stored = await self._publisher.publish(subject, encode(body), headers={_EXPECTED: str(last)})
        return stored.sequence

    async def last(self, stream: str, subject: str, body: type[Body]) -> Last[Body] | None:
        """The last message of a subject, None where there is none. Raises Problem(unavailable).

        Of a cluster's servers the one is asked that stores: any other may not have it yet.
        """
        try:
            found = await self.stream.get_last_msg(stream, subject)
        except NotFoundError:
            return None
        except (TimeoutError, nats.errors.Error, APIError, OSError) as error:
            raise Problem("unavailable", AWAY) from error
        return Last(msgspec.json.decode(found.data or b"", type=body), found.seq or 0)

    async def add(self, subject: str, amount: int) -> int:
        """Add to a counter of a stream of counters; what it has come to. Raises Problem(unavailable)."""
        return await self._publisher.add(subject, amount)

    async def store_later(self, subject: str, body: msgspec.Struct, *, id: str, target: str, at: float) -> Stored:
        """Have JetStream put the message on `target` at this moment, Unix seconds; returns when that is on disk.

        `subject` is where it waits: of several with one subject, the last one is kept. The same `id` again, within the
        window, stores nothing, whether the first one waits or has gone.
        """
        moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        headers = {MESSAGE_ID: id, "Nats-Schedule": f"@at {moment}", "Nats-Schedule-Target": target}
        headers = tracing.stamped(headers, followed=True)  # with which the server delivers it
        return await self._publisher.publish(subject, encode(body), headers=headers)

    async def send(self, subject: str, body: msgspec.Struct) -> None:
        """Publish to whoever listens now; nothing is stored. A bus that is away swallows it silently."""
        with suppress(nats.errors.Error, OSError):
            await self.client.publish(subject, encode(body))

    async def ask(self, subject: str, body: msgspec.Struct, *, answer: type[Answer], timeout_s: float) -> Answer:
        """Request and reply. Raises Problem(unavailable) when nobody answers in time, UnheardError when nobody can."""
        try:
            reply = await self.client.request(subject, encode(body), timeout=timeout_s, headers=traced.lines())
        except TimeoutError as error:
            raise Problem("unavailable", _UNANSWERED) from error
        except (nats.errors.Error, OSError) as error:
            raise UnheardError("unavailable", _UNANSWERED) from error
        return msgspec.json.decode(reply.data, type=answer)

    async def listen(self, subject: str, heard: Callable[[Body], Awaitable[None]], *, body: type[Body]) -> None:
        """Hear every message on a subject that is not stored, one after the other."""

        async def received(message: Body) -> None:
            await heard(message)

        received.__annotations__ = {"message": body, "return": None}
        subscriber = self.broker.subscriber(subject)
        subscriber(received)
        await subscriber.start()

    async def hear(self, subject: str, heard: Callable[[bytes, str], None]) -> None:
        """`listen` for the hot path: `heard(data, subject)` gets the bytes, undecoded, at a quarter of the cost."""

        async def received(message: Msg) -> None:
            heard(message.data, message.subject)

        await self.client.subscribe(subject, cb=received)

    async def hear_requests(self, subject: str, heard: Callable[[bytes, str, str], None]) -> None:
        """`hear` for requests: `heard(data, subject, reply_to)`. They are answered by a `send`, in any order.

        Only this process serves the subject; as many are under way side by side as are asked.
        """

        async def received(message: Msg) -> None:
            heard(message.data, message.subject, message.reply)

        await self.client.subscribe(subject, cb=received)

    async def serve(
        self,
        subject: str,
        handle: Callable[[Body], Awaitable[msgspec.Struct]],
        *,
        body: type[Body],
        answer: type[msgspec.Struct],
        workers: int = 4,
    ) -> None:
        """Answer requests, at most `workers` side by side; of all processes that serve the subject, one gets each."""

        async def received(message: Body) -> msgspec.Struct:
            return await handle(message)

        received.__annotations__ = {"message": body, "return": answer}
        subscriber = self.broker.subscriber(subject, queue=subject, max_workers=workers)
        subscriber(received)
        await subscriber.start()

    def mind(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run work in the background. Should it end by a fault, the service must: nobody else would do its part."""
        task = asyncio.create_task(work)
        self._minded.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._minded.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self.watch.fault("background work ended", error)
            if self.on_fault is not None:
                self.on_fault()

    def on_return(self, call: Callable[[], None]) -> None:
        """Have `call` run whenever the connection has come back: messages may have been missed."""
        self._returned.append(call)

    def forget(self, call: Callable[[], None]) -> None:
        """Do not run this one any more."""
        if call in self._returned:
            self._returned.remove(call)

    def lost(self) -> None:
        """The connection broke: whoever waits for an acknowledgement learns it now."""
        self._publisher.lost()

    def closed(self) -> None:
        """The connection was closed for good, as by a server that refuses us: only a new process has another one."""
        self.lost()
        self.watch.trouble("bus connection", error="closed for good")
        if self.on_fault is not None:
            self.on_fault()

    def returned(self) -> None:
        """Run what `on_return` collected."""
        for call in list(self._returned):
            call()

    async def ensure_stream(self, stream: Stream) -> None:
        """Create the stream, or bring its bounds up to date. Safe to run by several services at once."""
        await lay_stream(self.stream, stream)

    async def has_stream(self, name: str) -> bool:
        """Whether the stream exists."""
        try:
            await self.stream.stream_info(name)
        except NotFoundError:
            return False
        return True

    async def last_sequence(self, name: str) -> int:
        """The sequence of the last message that a stream was given. Raises Problem(unavailable)."""
        try:
            return (await self.stream.stream_info(name)).state.last_seq
        except (TimeoutError, nats.errors.Error, APIError, OSError) as error:
            raise Problem("unavailable", AWAY) from error

    async def window_s(self, name: str) -> float:
        """For how many seconds a stream knows a message id again. Raises Problem(unavailable)."""
        try:
            return (await self.stream.stream_info(name)).config.duplicate_window or 0.0
        except (TimeoutError, nats.errors.Error, APIError, OSError) as error:
            raise Problem("unavailable", AWAY) from error

    async def created(self, name: str) -> str:
        """When a stream was made, as the server says it: another text means another stream of that name."""
        try:
            info = await self.client.request(f"$JS.API.STREAM.INFO.{name}", timeout=self.timeout_s)
        except (TimeoutError, nats.errors.Error, OSError) as error:
            raise Problem("unavailable", AWAY) from error
        return msgspec.json.decode(info.data, type=_Made).created

    async def ensure_consumer(self, consumer: Consumer) -> float:
        """Create the durable pull consumer, or bring its bounds up to date; when it was made, Unix seconds."""
        return await lay_consumer(self.stream, consumer)

    async def unsettled(self, stream: str, name: str) -> int | None:
        """How many messages a consumer may have handed out; None where there is no such consumer."""
        try:
            info = await self.stream.consumer_info(stream, name)
        except NotFoundError:
            return None
        return int(info.config.max_ack_pending or UNBOUNDED)

    async def forget_consumer(self, stream: str, name: str) -> None:
        """Delete a consumer; nothing happens where there is none."""
        with suppress(NotFoundError):
            await self.stream.delete_consumer(stream, name)


@asynccontextmanager
async def connect(url: str, *, name: str, timeout_s: float, watch: Watch | None = None) -> AsyncIterator[Bus]:
    """Open the bus; leaves when the connection stands. Reconnects for ever, and then says so to `on_return`.

    `url` names the servers of a cluster by commas.
    Nothing is buffered while the bus is away: a publisher learns at once that it cannot publish.
    """
    watch = watch or Unwatched()
    opened: list[Bus] = []

    async def reconnected() -> None:
        for bus in opened:
            bus.returned()

    async def disconnected() -> None:
        for bus in opened:
            bus.lost()

    last_said = ("", 0.0)

    async def said(error: Exception) -> None:
        """nats-py says the same at each of its attempts, four times a second: we say it when it is news."""
        nonlocal last_said
        text, now = str(error) or type(error).__name__, time.monotonic()
        if text != last_said[0] or now - last_said[1] > _SAY_AGAIN_S:
            last_said = (text, now)
            watch.trouble("bus connection", error=text)

    async def closed() -> None:
        for bus in opened:
            bus.closed()

    servers = servers_of(url)
    broker = NatsBroker(
        servers.addresses,
        security=servers.security,
        name=f"shoal-{name}",
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.25,  # type: ignore[arg-type]  # seconds; nats-py takes any number, FastStream says int
        connect_timeout=2,
        ping_interval=5,
        max_outstanding_pings=2,
        pending_size=0,
        allow_reconnect=True,
        disconnected_cb=disconnected,
        reconnected_cb=reconnected,
        closed_cb=closed,
        error_cb=said,
        logger=None,
        serializer=MsgSpecSerializer(),
        middlewares=traced.middlewares(),
    )
    await broker.connect()
    client = broker.config.connection_state.connection
    bus = Bus(broker, client, timeout_s=timeout_s, watch=watch)
    opened.append(bus)
    try:
        yield bus
    finally:
        opened.clear()
        with suppress(nats.errors.Error, asyncio.TimeoutError, OSError):
            await asyncio.wait_for(client.flush(), timeout=1)
        with suppress(nats.errors.Error, asyncio.TimeoutError, OSError, RuntimeError):  # as nats-py says "it is gone"
            await asyncio.wait_for(broker.stop(), timeout=2)
