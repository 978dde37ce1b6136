"""A pass: what one process shows to the guard, and what it is given for that."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from services.executor.modes.javascript.egress.permissions import SHARED_LOOPBACK, net_permissions
from services.executor.modes.javascript.egress.refusal import Refusal
from services.executor.modes.javascript.jail.launched import Launched
from shared.domain.egress_policy import Policy

LOOPBACK = "127.0.0.1"  # in a network of a process's own
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY")

Serve = Callable[["Pass", socket.socket], Awaitable[asyncio.Server]]


class Pass:
    """One process's way to the world (`jail.Door`). `function` is what the log calls it."""

    def __init__(
        self,
        policy: Policy,
        *,
        name: str,
        secret: str,
        port: int,
        function: str,
        ca_file: str,
        serve: Serve | None,
        forget: Callable[["Pass"], None],
    ) -> None:
        self.policy = policy
        self.name = name
        self.secret = secret
        self.port = port
        self.function = function
        self._ca_file = ca_file
        self._serve = serve
        self._forget = forget
        self._server: asyncio.Server | None = None
        self._under_way: set[asyncio.StreamWriter] = set()

    @property
    def place(self) -> tuple[str, int]:
        """Where the process finds the guard."""
        return SHARED_LOOPBACK if self._serve is None else LOOPBACK, self.port

    @property
    def environment(self) -> dict[str, str]:
        """By which Deno's fetch and WebSocket find the guard.

        It is read once, at the first request, whatever that is for: after `await fetch("data:,")` it can be deleted.
        """
        host, port = self.place
        proxy = f"http://{self.name}:{self.secret}@{host}:{port}"
        return dict.fromkeys(_PROXIES, proxy) | ({"DENO_CERT": self._ca_file} if self._ca_file else {})

    @property
    def readable(self) -> list[str]:
        """What Deno itself has to read for it."""
        return [self._ca_file] if self._ca_file else []

    def permissions(self, socket: Path) -> list[str]:
        """Deno's arguments on the network; `socket` is the one it listens on."""
        return net_permissions(self.policy, socket, own_network=self._serve is not None)

    async def lead(self, launched: Launched) -> None:
        """The process has started: answer in its own network, if it has one. Raises OSError."""
        if self._serve is not None:
            if launched.listener is None:
                raise OSError("the process has no network of its own")
            launched.listener.setblocking(False)
            self._server = await self._serve(self, launched.listener)
        launched.exited.add_done_callback(lambda _: self.close())

    @contextmanager
    def using(self, writer: asyncio.StreamWriter, *, most: int) -> Iterator[None]:
        """While a connection is answered. Raises Refusal where there are too many."""
        if len(self._under_way) >= most:
            raise Refusal("too many connections")
        self._under_way.add(writer)
        try:
            yield
        finally:
            self._under_way.discard(writer)

    def close(self) -> None:
        """It is worth nothing any more, and its connections are cut."""
        self._forget(self)
        if self._server is not None:
            self._server.close()
        for writer in self._under_way:
            writer.transport.abort()
