"""Times, as this dialect writes them."""

from datetime import datetime


def stamp(at: datetime) -> str:
    """A UTC time as this dialect writes it, to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
