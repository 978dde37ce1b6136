"""Which ends of invocations leave a dead letter, and which functions want none."""

from collections.abc import Mapping
from typing import Any

from shared.domain.invocation import End
from shared.domain.problem import wrong


def is_dead(status: End) -> bool:
    """Whether an end is one that nobody wanted: a failure, or not begun in time. What was cancelled was wanted so."""
    return status in ("FAILURE", "EXPIRED")


def keeps_letters(config: Mapping[str, Any]) -> bool:
    """Whether a function wants dead letters: unless its `config.dead_letter` is false."""
    return config.get("dead_letter", True) is not False


def check_dead_letter(config: Mapping[str, Any]) -> None:
    """Refuse a `config.dead_letter` that is neither true nor false. Raises Problem(invalid)."""
    if not isinstance(config.get("dead_letter", True), bool):
        raise wrong("config.dead_letter", "config.dead_letter must be true or false")
