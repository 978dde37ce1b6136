"""Websockets: the frames that clients send, and what is pushed to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.triggers.kind import Route, World


class Websocket:
    """The kind. Implements services.triggers.kind.Kind."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.routes: tuple[Route, ...] = ()

    @asynccontextmanager
    async def work(self) -> AsyncIterator[None]:
        """Nothing beside requests."""
        yield


def open(world: World) -> Websocket:  # noqa: A001 - as every kind's is called
    """The kind, to be asked for its routes and for its work."""
    return Websocket(world)
