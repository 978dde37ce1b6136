"""Where connections are made: the name is resolved here, every address judged, and one that passed is connected to.

There is no second look-up between the judgement and the connection, so that a name cannot change its mind. TLS checks
the certificate against the name all the same: httpcore is given the name for that, the address only for the socket.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

import httpcore

from shared.egress.addresses import Guard
from shared.egress.heads import CountedStream

_CONNECT_S = 30.0  # where the caller names no bound


class EgressRefused(Exception):  # noqa: N818 - the name that a function's failure has
    """The request would have gone to a network that users' requests must not reach. Says nothing about addresses."""


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """httpcore's way to the network. Raises EgressRefused beside what httpcore raises."""

    def __init__(self, guard: Guard, resolve: Callable[[str, int], Awaitable[list[str]]], *, lookup_s: float) -> None:
        self._guard = guard
        self._resolve = resolve
        self._lookup_s = lookup_s
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(  # noqa: PLR0917 - httpcore's signature
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the addresses that may be connected to, each tried in turn within its part of the time."""
        clock = asyncio.get_running_loop().time
        within_s = _CONNECT_S if timeout is None else timeout
        end = clock() + within_s
        found = await self._addresses(host, port, within_s=min(within_s, self._lookup_s))
        addresses = [address for address in found if self._guard.permits(address)]
        if not addresses:
            raise EgressRefused(f"{host} is not on the public internet")
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for tried, address in enumerate(addresses):
            left_s = max(0.001, end - clock()) / (len(addresses) - tried)
            try:
                made = await self._network.connect_tcp(
                    address, port, timeout=left_s, local_address=local_address, socket_options=socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = type(error)(_said(error, host))
            else:
                return CountedStream(made)
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def _addresses(self, host: str, port: int, *, within_s: float) -> list[str]:
        try:
            async with asyncio.timeout(within_s):
                return await self._resolve(host, port)
        except TimeoutError:
            raise httpcore.ConnectTimeout(f"the name {host} was not resolved in time") from None

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Never."""
        raise EgressRefused("sockets of this machine are not open to requests")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


def _said(error: Exception, host: str) -> str:
    """Why, without the address: what a name stands for inside is nobody's business outside."""
    return f"{host} did not answer in time" if isinstance(error, httpcore.ConnectTimeout) else f"{host} refused"
