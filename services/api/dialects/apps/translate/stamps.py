"""Times, as this dialect writes them."""

from datetime import datetime


def stamp(at: datetime) -> str:
    """A UTC time as this dialect writes it, to the millisecond."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def maybe(at: datetime | None) -> str | None:
    """A time that need not be."""
    return None if at is None else stamp(at)
