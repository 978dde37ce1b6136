"""The small HTTP page of every service: /healthz (it lives), /readyz (it can do its job now), /metrics."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import uvicorn
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from uvicorn.config import Config, WSProtocolType

from shared import telemetry
from shared.config import ConfigError
from shared.http_head import BoundedHttp

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_log = telemetry.logger("health")
_CHECK_S = 2.0
_LOOK_S = 1.0  # what the metrics wait for, that has to be asked elsewhere; then they say what was known before
_LOOKED_S = 3.0


class Look:
    """Asks for what the metrics show and do not know by themselves: at most once in `every_s`, whoever reads them."""

    def __init__(self, ask: Callable[[], Awaitable[None]], *, every_s: float = _LOOKED_S) -> None:
        self._ask = ask
        self._every_s = every_s
        self._asked_at = -every_s
        self._asking: asyncio.Future[None] | None = None

    async def taken(self, *, within_s: float = _LOOK_S) -> None:
        """Return when it has been asked, or when that takes too long. It may go on then, and nobody asks beside it."""
        if self._asking is None and time.monotonic() - self._asked_at >= self._every_s:
            self._asked_at = time.monotonic()
            self._asking = asyncio.ensure_future(self._ask())
            self._asking.add_done_callback(self._done)
        if self._asking is not None:
            await asyncio.wait({self._asking}, timeout=within_s)

    def _done(self, asked: asyncio.Future[None]) -> None:
        self._asking = None
        if not asked.cancelled() and (error := asked.exception()) is not None:
            _log.error("a look for the metrics failed", exc_info=error)


class Page:
    """What the page tells. `checks` must all hold for readiness; `facts` are shown on /healthz.

    `looks` are taken before /metrics is answered.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.started = False
        self.checks: dict[str, Callable[[], Awaitable[bool]]] = {}
        self.facts: dict[str, Callable[[], Any]] = {}
        self.looks: list[Look] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] != "http":
            return
        accept = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
        status, kind, body = await self._answer(scope["path"], accept=accept)
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, path: str, *, accept: str = "") -> tuple[int, bytes, bytes]:
        if path == "/metrics":
            return await self._metrics(accept)
        if path == "/healthz":
            facts = {name: fact() for name, fact in self.facts.items()}
            return 200, b"application/json", msgspec.json.encode({"service": self.service, "status": "live", **facts})
        if path == "/readyz":
            asked = dict(self.checks)  # a service that is starting adds some meanwhile
            held = await asyncio.gather(*(_holds(check) for check in asked.values()))
            checks = dict(zip(asked, held, strict=True))
            ready = self.started and all(checks.values())
            body = {"service": self.service, "ready": ready, "started": self.started, **checks}
            return 200 if ready else 503, b"application/json", msgspec.json.encode(body)
        return 404, b"application/json", b'{"error":"Not found"}'

    async def _metrics(self, accept: str) -> tuple[int, bytes, bytes]:
        """OpenMetrics for who asks for it, which has exemplars; the text format for all others."""
        await asyncio.gather(*(look.taken() for look in self.looks))
        encode, kind = choose_encoder(accept)
        return 200, kind.encode(), encode(REGISTRY)


async def _holds(check: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await asyncio.wait_for(check(), timeout=_CHECK_S)
    except Exception:  # noqa: BLE001 - whatever it is, it does not hold
        return False


def listen(host: str, port: int, fd: int = -1, *, setting: str, backlog: int = 64) -> socket.socket:
    """The inherited socket `fd`, or an own one. Raises ConfigError, which names the `setting` that the port is from."""
    try:
        if fd >= 0:
            return socket.socket(fileno=fd)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=backlog)
    except OSError as error:
        where = f"on the inherited socket {fd}" if fd >= 0 else f"on {host} port {port} ({setting})"
        raise ConfigError(f"cannot listen {where}: {os.strerror(error.errno) if error.errno else error}") from None


class Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the service it runs in."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        """Take none: `boot.py` has them."""
        yield


@asynccontextmanager
async def serve(
    app: Any,
    listener: socket.socket,
    *,
    ws: WSProtocolType | type[asyncio.Protocol] = "none",
    trusted_proxies: str = "127.0.0.1",
) -> AsyncIterator[Server]:
    """Serve an ASGI application on a listening socket for as long as the block runs, then let requests finish.

    `ws` is what serves websockets: `shared.websocket.Handshake`, or nothing. `trusted_proxies`, by commas: whose
    X-Forwarded-For and X-Forwarded-Proto are believed.
    """
    listener.setblocking(False)
    settings = Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        http=BoundedHttp,
        loop="none",
        server_header=False,
        ws=ws,
        ws_per_message_deflate=False,  # what is compressed may be a thousand times as long
        forwarded_allow_ips=trusted_proxies,
    )
    server = Server(settings)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn has a flag here, not an event
        await asyncio.sleep(0.005)
    try:
        yield server
    finally:
        server.should_exit = True
        await task
