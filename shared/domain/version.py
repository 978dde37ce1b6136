"""A version of a function's code."""

import hashlib
from datetime import datetime

import msgspec

NOT_STORED = "the code is not in the store any more"
"""What is said of code whose source is gone, for somebody took it for nobody's."""


class CodeVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One uploaded source. Whether it is the active one is said by its function, not here.

    `message` is what its author says of the change.
    """

    id: int
    tenant: str
    function_id: int
    version: str
    code_hash: str
    created_at: datetime
    created_by: int
    created_by_username: str
    message: str = ""


class CompileError(msgspec.Struct, frozen=True):
    """Why code was refused at upload. `line` counts from 1, 0 when the fault has no line."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message


def code_hash(source: str) -> str:
    """The SHA-256 of the source, hex: the name under which code is stored, cached and dispatched."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
