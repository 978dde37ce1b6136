"""The guard: the only way of a jailed process to the world, an HTTP proxy that knows who asks and what he may reach.

A process with a network of its own finds the guard there, at a socket that nobody else can connect to. Others find it
on this machine's loopback. Both name themselves with a secret of their own.
"""

import asyncio
import hmac
import secrets
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import httpcore

from services.executor.modes.javascript.egress import asked, own_ports
from services.executor.modes.javascript.egress.asked import Asked, NotAskedError
from services.executor.modes.javascript.egress.bounds import Bounds
from services.executor.modes.javascript.egress.passes import Pass
from services.executor.modes.javascript.egress.permissions import SHARED_LOOPBACK
from services.executor.modes.javascript.egress.refusal import Refusal
from services.executor.modes.javascript.egress.tunnel import Tunnel
from shared import telemetry
from shared.config import Platform
from shared.domain.egress_policy import Policy
from shared.egress import EgressRefused, guard_of
from shared.egress import Guard as Addresses
from shared.egress.backend import GuardedBackend
from shared.egress.lookup import Lookup

_PORT = 3128  # in a network of a process's own, where nothing else is
_SECRET_BYTES = 24

_log = telemetry.logger("egress")


class Guard:
    """Gives passes, and lets through what they permit.

    `own_networks`: processes have networks of their own. `resolve` says which addresses a name has, the system's
    resolver unless it is given.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        own_networks: bool,
        bounds: Bounds | None = None,
        resolve: Callable[[str, int], Awaitable[list[str]]] | None = None,
    ) -> None:
        look_up, lookup_s = resolve or Lookup(), platform.egress_lookup_s
        self._open = GuardedBackend(guard_of(platform), look_up, lookup_s=lookup_s)
        # The bus and the store stand in private networks, where some are open to users: never at these ports.
        self._shut = GuardedBackend(Addresses(), look_up, lookup_s=lookup_s)
        self._own_ports = own_ports.of(platform)
        self._connect_s = platform.egress_connect_s
        self._ca_file = platform.egress_ca_file
        self._own_networks = own_networks
        self._bounds = bounds or Bounds()
        self._passes: dict[str, Pass] = {}
        self._server: asyncio.Server | None = None
        self._port = _PORT
        self._opening = asyncio.Lock()
        self._connections = 0
        self.refused: Counter[str] = Counter()

    async def open(self, policy: Policy, *, function: str) -> Pass:
        """A pass for one process of a function, which is named in the log. To be closed with the process."""
        if not self._own_networks:
            async with self._opening:
                if self._server is None:
                    self._server = await self._serve(self._converse, host=SHARED_LOOPBACK, port=0)
                    self._port = self._server.sockets[0].getsockname()[1]
                    self._own_ports |= {self._port}
        made = Pass(
            policy,
            name=secrets.token_hex(8),
            secret=secrets.token_urlsafe(_SECRET_BYTES),
            port=self._port,
            function=function,
            ca_file=self._ca_file,
            serve=self._serve_own if self._own_networks else None,
            forget=self._forget,
        )
        self._passes[made.name] = made
        return made

    def facts(self) -> dict[str, Any]:
        """For the health page."""
        return {"passes": len(self._passes), "connections": self._connections, "refused": dict(self.refused)}

    async def close(self) -> None:
        """Cut every connection."""
        for one in list(self._passes.values()):
            one.close()
        if self._server is not None:
            self._server.close()

    def _forget(self, gone: Pass) -> None:
        self._passes.pop(gone.name, None)

    async def _serve_own(self, own: Pass, listener: socket.socket) -> asyncio.Server:
        """Answer in the network of one process: no other pass counts there."""

        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._converse(reader, writer, own)

        return await self._serve(converse, sock=listener)

    async def _serve(self, converse: Callable[..., Awaitable[None]], **where: Any) -> asyncio.Server:
        return await asyncio.start_server(converse, limit=self._bounds.head_bytes, **where)

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, own: Pass | None = None
    ) -> None:
        """One connection, from its request to its end."""
        self._connections += 1
        try:
            await self._answer(reader, writer, own)
        except (OSError, httpcore.NetworkError):
            return  # one of the two sides has gone
        finally:
            self._connections -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, own: Pass | None) -> None:
        shown, counted = own, ExitStack()
        try:
            with counted:
                if self._connections > self._bounds.all_connections:
                    raise Refusal("too many connections")
                if own is not None:
                    counted.enter_context(own.using(writer, most=self._bounds.connections))
                request = await self._read(reader)
                if request is None:
                    return
                shown = self._shown(request, own)
                if own is None:
                    counted.enter_context(shown.using(writer, most=self._bounds.connections))
                await self._connect(request, shown, reader, writer)
        except Refusal as refusal:
            self._tell(refusal, shown)
            writer.write(refusal.answer())
            async with asyncio.timeout(self._bounds.idle_s):
                await writer.drain()

    async def _read(self, reader: asyncio.StreamReader) -> Asked | None:
        try:
            async with asyncio.timeout(self._bounds.head_s):
                return asked.parse(await reader.readuntil(b"\r\n\r\n"))
        except asyncio.IncompleteReadError:
            return None
        except TimeoutError:
            raise Refusal("no request in time") from None
        except (NotAskedError, asyncio.LimitOverrunError):
            raise Refusal("not a request") from None

    def _shown(self, request: Asked, own: Pass | None) -> Pass:
        """The pass that the request shows. Raises Refusal."""
        found = self._passes.get(request.name)
        if found is None or not hmac.compare_digest(found.secret.encode(), request.secret.encode()):
            raise Refusal("no pass")
        if own is not None and found is not own:
            raise Refusal("no pass")
        return found

    async def _connect(
        self, request: Asked, shown: Pass, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        host, port = request.host, request.port
        if not shown.policy.permits(host, port):
            raise Refusal("not in the policy", f"{host}:{port} is not among the hosts that this function may reach")
        backend = self._shut if port in self._own_ports else self._open
        try:
            target = await backend.connect_tcp(host, port, timeout=self._connect_s)
        except EgressRefused as refused:
            raise Refusal("not public", str(refused)) from None
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise Refusal("not reached", str(error)) from None
        try:
            await Tunnel(reader, writer, target, self._bounds).run(request.head)
        finally:
            await target.aclose()

    def _tell(self, refusal: Refusal, shown: Pass | None) -> None:
        self.refused[refusal.reason] += 1
        telemetry.EGRESS_REFUSED.labels(refusal.reason).inc()
        if refusal.is_notable:
            _log.info("egress refused", reason=refusal.reason, function=shown.function if shown else "")
