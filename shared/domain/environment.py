"""The environment variables of functions and apps: how they may be called, and how many there may be."""

import re
from collections.abc import Iterable

from shared.domain.problem import Problem, wrong

RESERVED_PREFIX = "SHOAL_"
"""What begins like this, in capitals or not, is the platform's own to set."""
MAX_KEYS = 100
MAX_KEY = 256
MAX_VALUE_BYTES = 32 << 10
MAX_BYTES = 64 << 10  # all values of one function, or of one app, together
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_key(key: str) -> None:
    """Refuse what cannot be the name of a variable, or is the platform's. Raises Problem(invalid)."""
    shown = key if len(key) <= MAX_KEY else f"{key[:MAX_KEY]}…"
    if len(key) > MAX_KEY or not _KEY.fullmatch(key):
        message = f"'{shown}' must be 1 to {MAX_KEY} letters, digits and _, and not begin with a digit"
        raise wrong(f"envVars.{shown}", message)
    if key.upper().startswith(RESERVED_PREFIX):
        raise wrong(f"envVars.{key}", f"'{key}' begins with {RESERVED_PREFIX}, which is the platform's own")


def check_value(key: str, value: str) -> None:
    """Refuse a value that is too long, or that no environment can hold. Raises Problem(invalid)."""
    if len(value.encode()) > MAX_VALUE_BYTES:
        raise wrong(f"envVars.{key}", f"The value of '{key}' is longer than {MAX_VALUE_BYTES} bytes")
    if "\0" in value:
        raise wrong(f"envVars.{key}", f"The value of '{key}' has a NUL character")


def check_whole(sizes: Iterable[int]) -> None:
    """Refuse too many variables, or values that are too long together; `sizes` in bytes. Raises Problem(invalid)."""
    found = list(sizes)
    if len(found) > MAX_KEYS:
        raise wrong("envVars", f"There may be at most {MAX_KEYS} variables")
    if sum(found) > MAX_BYTES:
        raise Problem("invalid", f"The values together are longer than {MAX_BYTES} bytes", {"envVars": "too long"})
