"""Python modes for tests: one for those that only make calls, and some with settings of their own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest_asyncio

from services.executor.modes.python.mode import PythonMode, open_mode
from services.executor.modes.python.settings import PythonSettings
from services.executor.pool.bounds import Bounds
from services.executor.pool.places import Places

Open = Callable[..., Awaitable[PythonMode]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mode() -> AsyncIterator[PythonMode]:
    """The mode as the executor opens it, with fewer workers."""
    opened = await open_mode(PythonSettings(), places=Places(Bounds(processes=8)))
    yield opened
    await opened.close()


@pytest_asyncio.fixture(loop_scope="session")
async def opened() -> AsyncIterator[Open]:
    """Opens modes with their own settings and bounds, or in places that they share, and closes them."""
    modes: list[PythonMode] = []

    async def open_with(*, places: Places | None = None, **settings: Any) -> PythonMode:
        bounds = {name: settings.pop(name) for name in Bounds.__struct_fields__ if name in settings}
        modes.append(await open_mode(PythonSettings(**settings), places=places or Places(Bounds(**bounds))))
        return modes[-1]

    yield open_with
    for mode in modes:
        await mode.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that only the kernel or a timer can bring about; at most ten seconds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)
