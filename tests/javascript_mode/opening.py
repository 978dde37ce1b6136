"""JavaScript modes for tests: one for those that only make calls, and some with settings of their own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest_asyncio

from services.executor.modes.javascript.mode import JavascriptMode, open_mode
from services.executor.modes.javascript.settings import JavascriptSettings
from services.executor.pool.bounds import Bounds
from services.executor.pool.places import Places
from shared.config import Platform

Open = Callable[..., Awaitable[JavascriptMode]]


def platform_of(**changes: Any) -> Platform:
    """The platform's settings; neither bus nor store is spoken to."""
    return Platform(nats_url="nats://127.0.0.1:4222", mongodb_url="mongodb://127.0.0.1:27017", **changes)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mode() -> AsyncIterator[JavascriptMode]:
    """The mode as the executor opens it, with fewer workers."""
    opened = open_mode(JavascriptSettings(), platform=platform_of(), places=Places(Bounds(processes=8)))
    assert isinstance(opened, JavascriptMode)
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def opened() -> AsyncIterator[Open]:
    """Opens modes with their own settings and bounds, and closes them."""
    modes: list[JavascriptMode] = []

    async def open_with(
        bounds: Bounds | None = None, *, platform: Platform | None = None, **settings: object
    ) -> JavascriptMode:
        made = open_mode(
            JavascriptSettings(**settings),  # type: ignore[arg-type]
            platform=platform or platform_of(),
            places=Places(bounds or Bounds()),
        )
        assert isinstance(made, JavascriptMode)
        modes.append(made)
        return made

    yield open_with
    for mode in modes:
        await mode.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that only the kernel or a timer can bring about; at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)
