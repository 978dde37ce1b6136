"""Somebody else's NATS server, which may be as hostile as it likes: read from it, within bounds, and nothing else.

A connection is never made again by itself: whoever reads has the address judged anew and opens another one.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, NamedTuple

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.client import JetStreamContext
from nats.js.errors import APIError, NotFoundError
from nats.protocol.parser import Parser

MAX_BYTES = 1 << 20
"""The largest message that is read, NATS' own default."""

_BUFFER_BYTES = MAX_BYTES + (128 << 10)  # with its headers and what was read beyond it
_PENDING = 4096
_PENDING_BYTES = 16 << 20
_BATCH = 100
_WAIT_S = 20.0
_LEASE_S = 60.0
_CONNECT_S = 10.0
_CLOSE_S = 2.0
_PING_S = 10.0
_FOREIGN = (nats.errors.Error, APIError, OSError, TimeoutError, ValueError, KeyError, TypeError)


class ForeignFault(Exception):  # noqa: N818 - it is the server's
    """The server cannot be read from, for the reason that the text says, without secrets."""


class Place(NamedTuple):
    """Where to read. `addresses` are those of `host` that may be connected to. `tls` says that it must be encrypted.

    `trust` are the authorities that are believed. With `stream` a durable consumer `durable` reads what came `since`.
    """

    host: str
    port: int
    addresses: Sequence[str]
    tls: bool
    trust: ssl.SSLContext
    subject: str
    stream: str
    durable: str
    since: datetime


class Login(NamedTuple):
    """Who reads: a user with a password, a token, or nobody in particular."""

    user: str
    password: str
    token: str


class Reader:
    """An open subscription. `dropped` counts what came faster than it was read, where there is no stream."""

    def __init__(self, client: "_Client", subscription: Subscription | JetStreamContext.PullSubscription) -> None:
        self._client = client
        self._subscription = subscription
        self._batch: list[Msg] = []

    @property
    def dropped(self) -> int:
        """How many messages were lost because they came too fast."""
        return self._client.dropped

    async def batch(self) -> list[bytes]:
        """At most a hundred messages, waited for; none where none came for a while. Raises ForeignFault."""
        reading = asyncio.ensure_future(self._read())
        closed = asyncio.ensure_future(self._client.ended.wait())
        try:
            await asyncio.wait({reading, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                raise ForeignFault("The NATS server has closed the connection")
            self._batch = reading.result()
        except _FOREIGN as error:
            raise ForeignFault(_said(error)) from None
        finally:
            reading.cancel()
            closed.cancel()
        return [message.data for message in self._batch]

    async def done(self) -> None:
        """What the last batch had may be forgotten. Raises ForeignFault."""
        batch, self._batch = self._batch, []
        if isinstance(self._subscription, Subscription):
            return
        try:
            for message in batch:
                await message.ack()
            await asyncio.wait_for(self._client.flush(), timeout=_CONNECT_S)
        except _FOREIGN as error:
            raise ForeignFault(_said(error)) from None

    async def _read(self) -> list[Msg]:
        if not isinstance(self._subscription, Subscription):
            try:
                return await self._subscription.fetch(_BATCH, timeout=_WAIT_S)
            except nats.errors.TimeoutError:
                return []
        try:
            messages = [await self._subscription.next_msg(timeout=_WAIT_S)]
        except nats.errors.TimeoutError:
            return []
        while len(messages) < _BATCH and self._subscription.pending_msgs:
            messages.append(await self._subscription.next_msg(timeout=_WAIT_S))
        return messages


@asynccontextmanager
async def reading(place: Place, login: Login) -> AsyncIterator[Reader]:
    """Connect and subscribe, for as long as the block runs. Raises ForeignFault."""
    client = _Client(tls=place.tls)
    try:
        try:
            async with asyncio.timeout(_CONNECT_S):
                await _connect(client, place, login)
                subscription = await _subscribe(client, place)
        except _FOREIGN as error:
            raise ForeignFault(client.refusal or _said(error)) from None
        yield Reader(client, subscription)
    finally:
        with suppress(*_FOREIGN):
            await asyncio.wait_for(client.close(), timeout=_CLOSE_S)


async def _connect(client: "_Client", place: Place, login: Login) -> None:
    hosts = [f"[{address}]" if ":" in address else address for address in place.addresses]
    secret: dict[str, Any] = {"token": login.token} if login.token else {}
    if login.user:
        secret = {"user": login.user, "password": login.password}
    await client.connect(
        [f"nats://{host}:{place.port}" for host in hosts],
        dont_randomize=True,
        name="shoal",
        error_cb=client.troubled,
        closed_cb=client.closed,
        allow_reconnect=False,
        max_reconnect_attempts=1,
        reconnect_time_wait=0,
        connect_timeout=int(_CONNECT_S / 2),
        ping_interval=int(_PING_S),
        max_outstanding_pings=2,
        tls=place.trust,
        tls_hostname=place.host,
        **secret,
    )


async def _subscribe(client: "_Client", place: Place) -> Subscription | JetStreamContext.PullSubscription:
    if not place.stream:
        subscription = await client.subscribe(
            place.subject, pending_msgs_limit=_PENDING, pending_bytes_limit=_PENDING_BYTES
        )
        await client.flush()  # one that we may not read is refused by now
        if client.refusal:
            raise nats.errors.Error(client.refusal)
        return subscription
    context = client.jetstream(timeout=_CONNECT_S)
    config = ConsumerConfig(
        durable_name=place.durable,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=_LEASE_S,
        max_ack_pending=_PENDING,
        max_deliver=-1,
        filter_subject=place.subject,
        deliver_policy=DeliverPolicy.BY_START_TIME,
        opt_start_time=place.since,
    )
    return await context.pull_subscribe(
        place.subject,
        durable=place.durable,
        stream=place.stream,
        config=config,
        pending_msgs_limit=_PENDING,
        pending_bytes_limit=_PENDING_BYTES,
    )


class _Client(Client):
    """nats-py's, that believes a server less: no message over the bound, no server but this one, no secret in clear."""

    def __init__(self, *, tls: bool) -> None:
        super().__init__()
        self._ps = _Parser(self)
        self._must_be_tls = tls
        self.ended = asyncio.Event()
        self.dropped = 0
        self.refusal = ""

    async def troubled(self, error: Exception) -> None:
        """What nats-py finds while nobody waits for it."""
        if isinstance(error, nats.errors.SlowConsumerError):
            self.dropped += 1
        elif not self.refusal and "violation" in str(error).lower():
            self.refusal = _said(error)

    async def closed(self) -> None:
        """The connection is gone."""
        self.ended.set()

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        await super()._process_info({**info, "connect_urls": []}, initial_connection)

    def _connect_command(self) -> bytes:
        """The line with the secret: never where the connection should be encrypted and is not."""
        if self._must_be_tls and not self._server_info.get("tls_required"):
            raise nats.errors.Error("nats: 'the server does not speak TLS'")
        made: bytes = super()._connect_command()
        return made


class _Parser(Parser):
    """nats-py's, with a bound on what it keeps."""

    async def parse(self, data: bytes = b"") -> None:
        if len(self.buf) + len(data) > _BUFFER_BYTES:
            raise nats.errors.ProtocolError
        await super().parse(data)


# What is said of a fault of this class whose text has these words: the first that fits.
_SAID: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str, str], ...] = (
    (ssl.SSLError, "", "The NATS server's certificate is not believed, or it does not speak TLS"),
    (Exception, "authorization", "The NATS server refused the user, the password or the token"),
    (Exception, "permissions violation", "The NATS server does not let this user read there"),
    (Exception, "does not speak tls", "The NATS server does not speak TLS"),
    (NotFoundError, "", "The NATS server has no such stream"),
    (APIError, "", "The NATS server refused to read from the stream"),
    (TimeoutError, "", "The NATS server did not answer in time"),
    ((nats.errors.NoServersError, OSError), "", "The NATS server cannot be reached"),
    (BaseException, "", "The NATS server's connection broke, or it speaks no NATS"),
)


def _said(error: BaseException) -> str:
    """A sentence about a fault, without what the server says itself: it may say anything."""
    text = str(error).lower()
    return next(sentence for kind, words, sentence in _SAID if isinstance(error, kind) and words in text)
