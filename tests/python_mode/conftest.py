"""One Python mode for the tests of the language; tests of the pool open their own."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.executor.modes.python.mode import PythonMode, open_mode
from services.executor.modes.python.settings import PythonSettings
from shared.domain.outcome import Outcome
from tests.python_mode.calling import Run, call_of


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mode() -> AsyncIterator[PythonMode]:
    """The mode as the executor opens it, with fewer workers."""
    opened = await open_mode(PythonSettings(max_workers=8))
    yield opened
    await opened.close()


@pytest.fixture
def run(mode: PythonMode) -> Run:
    """Compile and run a source once."""

    async def run_source(source: str, params: Any = None, **changes: Any) -> Outcome:
        return await mode.run(await call_of(mode, source, params, **changes))

    return run_source
