"""What the tests of the JavaScript mode share."""

from typing import Any

import pytest

from services.executor.modes.javascript.mode import JavascriptMode
from shared.domain.outcome import Outcome
from shared.domain.request import Request
from tests.javascript_mode.calling import Run, call_of
from tests.javascript_mode.opening import mode, opened

__all__ = ["mode", "opened", "run"]


@pytest.fixture
def run(mode: JavascriptMode) -> Run:
    """Prepare and run a source once."""

    async def run_source(source: str, request: Request | None = None, **changes: Any) -> Outcome:
        return await mode.run(await call_of(mode, source, request, **changes))

    return run_source
