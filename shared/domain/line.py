"""A line that a function writes, as it is told while the call runs, and what of its lines is not."""

from typing import Literal

import msgspec

from shared.domain.outcome import LogLevel

Why = Literal["before", "rate", "bounds", "slow", "lost", "died", "history"]
"""Why something is missing; docs/logs.md says what each of them means."""

MOST_CHARS = 16 << 10
"""Of a message that is told while the call runs; the end has it whole."""

RANK: dict[str, int] = {"debug": 0, "log": 1, "info": 1, "warning": 2, "error": 3}
"""How much a level is worth."""


class Line(msgspec.Struct, frozen=True, array_like=True):
    """`n` counts from 1 within one run of a call. `at` is milliseconds since 1970; `cut` where the message was."""

    n: int
    level: LogLevel
    at: int
    message: str
    cut: bool = False


class Missed(msgspec.Struct, frozen=True, array_like=True):
    """The lines from `first` to `last`, both included, are not told; `last` is None where nobody can say it."""

    first: int
    last: int | None
    why: Why


def line(n: int, level: LogLevel, at_s: float, message: str) -> Line:
    """A line as it is told, which may be shorter than what was written."""
    if len(message) > MOST_CHARS:
        return Line(n, level, int(at_s * 1000), message[:MOST_CHARS], cut=True)
    return Line(n, level, int(at_s * 1000), message)
