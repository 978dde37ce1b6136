"""Times, as this dialect writes them."""

from datetime import UTC, datetime


def epoch(at: datetime) -> int:
    """Whole seconds since 1970."""
    return int(at.timestamp())


def moment(epoch: int | None) -> datetime | None:
    """The time that was sent, where one was."""
    return None if epoch is None else datetime.fromtimestamp(epoch, UTC)
