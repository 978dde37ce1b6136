"""The house's measures: small files, small functions, names that say what is inside."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES = 400
FUNCTION_LINES = 70
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "base", "misc"}
FILES = sorted(path for folder in ("shared", "services", "cli") for path in (ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_keeps_the_measures(path: Path):
    text = path.read_text()
    assert text.count("\n") <= FILE_LINES, f"{path.name} is longer than {FILE_LINES} lines: which two files is it?"
    assert path.stem not in SAYS_NOTHING, f"{path.name} does not say what is in it"
    too_long = [
        f"{node.name} ({node.end_lineno - node.lineno + 1} lines)"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= FUNCTION_LINES
    ]
    assert not too_long, f"functions longer than {FUNCTION_LINES} lines: {', '.join(too_long)}"


def test_there_is_something_to_measure():
    assert len(FILES) > len(SAYS_NOTHING)
