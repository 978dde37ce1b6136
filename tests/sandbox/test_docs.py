"""docs/python.md lists what is there, name by name."""

from pathlib import Path

import pytest

from services.executor.modes.python.facades import MODULES, exports
from shared.domain.limits import FIELDS, key_of

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text(encoding="utf-8")
ERRORS = """TimeoutError CpuLimitExceeded MemoryError ResultTooLarge ParamsTooLarge OutputTruncated LogTruncated
SandboxError SandboxViolation WorkerDied"""


@pytest.mark.parametrize("module", MODULES)
def test_the_page_lists_every_name_of_a_module(module: str) -> None:
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{module}` |")]
    named = {name.strip(" `|") for name in row.split("|", 2)[2].split(",")}
    assert named == exports(module)


@pytest.mark.parametrize("error", ERRORS.split())
def test_the_page_names_every_error(error: str) -> None:
    assert f"`{error}`" in PAGE


@pytest.mark.parametrize("field", FIELDS)
def test_the_page_names_every_limit(field: str) -> None:
    assert f"| `{key_of(field)}`" in PAGE
    assert f"`{field}`" in PAGE
