"""One Python mode for the attacks on the language."""

from collections.abc import AsyncIterator

import pytest_asyncio

from services.executor.modes.python.mode import PythonMode, open_mode
from services.executor.modes.python.settings import PythonSettings


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mode() -> AsyncIterator[PythonMode]:
    """The mode as the executor opens it, with fewer workers."""
    opened = await open_mode(PythonSettings(max_workers=8))
    yield opened
    await opened.close()
