"""Durable publishing, many at a time: one inbox for all acknowledgements, one timer a message, no task and no lock.

nats-py's own `js.publish` makes a request of each, with a future, a timeout scope and a JSON parse of its own; this is
the same protocol at half the cost.
"""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.bus.delivery import Stored
from shared.domain.problem import Problem

AWAY = "The message bus is not reachable; try again in a moment"
MESSAGE_ID = "Nats-Msg-Id"
_WRONG_LAST = frozenset({10070, 10071, 10164})  # the last message is not the expected one
_INCREMENT = "Nats-Incr"


class _Error(msgspec.Struct, frozen=True):
    code: int
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct, frozen=True):
    """JetStream's answer to a publish. `val` is what a counter has come to."""

    seq: int = 0
    val: str = "0"
    duplicate: bool = False
    error: _Error | None = None


_ACK = msgspec.json.Decoder(_Ack)


class Publisher:
    """Publishes to streams over one connection; each publish waits at most `timeout_s` for its acknowledgement."""

    def __init__(self, client: Client, *, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._inbox = client.new_inbox()
        self._numbers = count(1)
        self._waiting: dict[str, asyncio.Future[_Ack]] = {}
        self._listening = False

    async def publish(
        self, subject: str, data: bytes, *, headers: dict[str, str], sent: Callable[[], Awaitable[None]] | None = None
    ) -> Stored:
        """Return when JetStream has it on disk. Raises Problem(unavailable, too_large).

        Raises Problem(conflict) when a sequence that `headers` expect is not the last one. `sent` is called when the
        message is on its way: what it sends comes to the server after the message, and waits for no acknowledgement.
        """
        ack = await self._acknowledgement(subject, data, headers, sent)
        return Stored(sequence=ack.seq, duplicate=ack.duplicate)

    async def add(self, subject: str, amount: int) -> int:
        """Add to a counter, in a stream of counters; what it has come to. Raises Problem(unavailable)."""
        ack = await self._acknowledgement(subject, b"", {_INCREMENT: f"+{amount}"})
        return int(ack.val)

    async def _acknowledgement(
        self, subject: str, data: bytes, headers: dict[str, str], sent: Callable[[], Awaitable[None]] | None = None
    ) -> _Ack:
        if not self._listening:
            self._listening = True
            await self._client.subscribe(f"{self._inbox}.*", cb=self._acknowledged)
        loop = asyncio.get_running_loop()
        token = str(next(self._numbers))
        waiting: asyncio.Future[_Ack] = loop.create_future()
        self._waiting[token] = waiting
        timer = loop.call_later(self._timeout_s, self._overdue, waiting)
        try:
            await self._client.publish(subject, data, reply=f"{self._inbox}.{token}", headers=headers)
            if sent is not None:
                await sent()
            return await waiting
        except nats.errors.MaxPayloadError as error:
            raise Problem(
                "too_large", f"The message is over the bus limit of {self._client.max_payload} bytes"
            ) from error
        except (nats.errors.Error, OSError) as error:
            raise Problem("unavailable", AWAY) from error
        finally:
            timer.cancel()
            del self._waiting[token]

    def lost(self) -> None:
        """The connection broke: no acknowledgement that is waited for will come."""
        for waiting in self._waiting.values():
            self._overdue(waiting)

    async def _acknowledged(self, message: Msg) -> None:
        waiting = self._waiting.get(message.subject.rpartition(".")[2])
        if waiting is None or waiting.done():
            return
        if not message.data:  # 503: no stream listens on the subject
            waiting.set_exception(Problem("unavailable", AWAY))
            return
        ack = _ACK.decode(message.data)
        if ack.error is not None and ack.error.err_code in _WRONG_LAST:
            waiting.set_exception(Problem("conflict", "Somebody else was first"))
        elif ack.error is not None:
            waiting.set_exception(
                Problem("unavailable", f"The message bus refused to store it: {ack.error.description}")
            )
        else:
            waiting.set_result(ack)

    @staticmethod
    def _overdue(waiting: "asyncio.Future[_Ack]") -> None:
        if not waiting.done():
            waiting.set_exception(Problem("unavailable", AWAY))
