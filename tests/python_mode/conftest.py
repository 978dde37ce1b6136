"""What the tests of the Python mode share."""

from typing import Any

import pytest

from services.executor.modes.python.mode import PythonMode
from shared.domain.outcome import Outcome
from tests.python_mode.calling import Run, call_of
from tests.python_mode.impostor import impostor
from tests.python_mode.opening import mode, opened

__all__ = ["impostor", "mode", "opened", "run"]


@pytest.fixture
def run(mode: PythonMode) -> Run:
    """Compile and run a source once."""

    async def run_source(source: str, params: Any = None, **changes: Any) -> Outcome:
        return await mode.run(await call_of(mode, source, params, **changes))

    return run_source
