"""Which code is a function's own, and not the platform's or a library's."""

from types import FunctionType
from typing import Any

FILE_NAME = "<function>"
"""What the file of every frame and function of it is called."""


def is_own(value: Any) -> bool:
    """Whether it is a function that the code has defined."""
    return type(value) is FunctionType and value.__code__.co_filename == FILE_NAME
