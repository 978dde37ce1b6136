"""Times, as this dialect writes them."""

from datetime import datetime


def epoch(at: datetime) -> int:
    """Whole seconds since 1970."""
    return int(at.timestamp())
