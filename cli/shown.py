"""Times and durations, as people read and type them."""

import re
from datetime import UTC, datetime, timedelta

from cli.exits import REFUSED, Fault

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_MS = 1000


def ago(stamp: str | None, *, now: datetime | None = None) -> str | None:
    """How long ago that was, in the largest unit that fits."""
    if not stamp:
        return None
    passed = max(0.0, ((now or datetime.now(UTC)) - moment(stamp)).total_seconds())
    for unit, seconds in reversed(_UNITS.items()):
        if passed >= seconds:
            return f"{int(passed // seconds)}{unit}"
    return "now"


def moment(stamp: str) -> datetime:
    """A time of the server's, or of a user's; UTC where it names no zone."""
    at = datetime.fromisoformat(stamp)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def since(text: str) -> str:
    """A moment for the server: so long ago (`10m`, `2h`, `1d`), or a date and a time. Raises Fault."""
    try:
        if span := _SPAN.fullmatch(text):
            at = datetime.now(UTC) - timedelta(seconds=float(span[1]) * _UNITS[span[2]])
        else:
            at = moment(text)
        return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError):
        raise Fault(REFUSED, f"'{text}' is no time", "like 30s, 10m, 2h, 1d or 2026-01-31T09:00:00Z") from None


def clock(at_ms: float) -> str:
    """A moment in milliseconds since 1970, in the time of this machine."""
    return datetime.fromtimestamp(at_ms / _MS, UTC).astimezone().strftime("%H:%M:%S.%f")[:-3]
