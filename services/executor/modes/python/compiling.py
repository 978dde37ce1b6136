"""Source in, marshalled code or reasons out. Runs in a worker only: a hostile source can crash a compiler."""

import ast
import marshal
import re

from services.executor.modes.python.own_code import FILE_NAME
from services.executor.modes.python.policy import Policy

_MAX_ERRORS = 50
_MAX_SENTENCE = 1000
_LINE = re.compile(r"Line (\d+|None): (.*)", re.DOTALL)

Errors = list[tuple[int, str]]


def compile_source(source: bytes) -> tuple[bytes, Errors]:
    """Compile UTF-8 source: the code, or at least one pair of line and sentence."""
    try:
        tree = ast.parse(source.decode("utf-8"), FILE_NAME)
        policy = Policy()
        policy.visit(tree)
        if policy.errors:
            return b"", sorted({_split(error) for error in policy.errors})[:_MAX_ERRORS]
        # Not by RestrictedPython's function: what it compiles inherits its `from __future__ import annotations`.
        code = compile(tree, FILE_NAME, "exec", dont_inherit=True)
    except SyntaxError as error:
        return b"", [(error.lineno or 0, _syntax_sentence(error))]
    except RecursionError:
        return b"", [(0, "The code is nested too deeply.")]
    except MemoryError:
        return b"", [(0, "The code needs too much memory to compile; is it nested too deeply?")]
    except ValueError as error:
        return b"", [(0, f"The code is not a Python source: {error}"[:_MAX_SENTENCE])]
    return marshal.dumps(code), []


def _split(error: str) -> tuple[int, str]:
    """RestrictedPython writes the line into the sentence."""
    found = _LINE.fullmatch(error)
    if found is None:
        return 0, error[:_MAX_SENTENCE]
    line = found[1]
    return (0 if line == "None" else int(line)), found[2][:_MAX_SENTENCE]


def _syntax_sentence(error: SyntaxError) -> str:
    statement = f": {error.text.strip()}" if error.text else ""
    return f"{type(error).__name__}: {error.msg}{statement}"[:_MAX_SENTENCE]
