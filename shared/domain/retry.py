"""When a failed try is worth another one, and when that one is due. Pure: the clock and the dice are the caller's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

MAX_RETRIES = 100

_PASSING = frozenset({408, 425, 429})
_SERVER_ERRORS = range(500, 600)
_MOST_DOUBLINGS = 30


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds: the first pause is up to `first_s`, each later one up to twice as long, none over `most_s`.

    Who asks for a pause of its own (Retry-After) gets it, up to `most_asked_s`.
    """

    first_s: float
    most_s: float
    most_asked_s: float

    def pause_s(self, attempt: int, *, chance: float, asked_s: float = 0.0) -> float:
        """The pause after this attempt, counted from 1. `chance`, 0 to 1, is the whole of the jitter.

        An asked pause has the jitter on top: all who were told the same would come back in the same moment.
        """
        most_s = min(self.most_s, self.first_s * 2 ** min(attempt - 1, _MOST_DOUBLINGS))
        return float(min(max(asked_s, 0.0), self.most_asked_s) + chance * most_s)


def is_passing(status: int) -> bool:
    """Whether an HTTP status may be another one at the next try: too early, too many, or the server's own trouble."""
    return status in _PASSING or status in _SERVER_ERRORS


def asked_s(retry_after: str, *, now: float) -> float:
    """The pause that a Retry-After header asks for: seconds, or an HTTP date; 0 where it says neither."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0
    if moment.tzinfo is None:  # "-0000": an HTTP date is in GMT whatever it says
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())


def retries_of(config: Mapping[str, Any]) -> int:
    """How often a function wants its failed tries repeated: `max_retries`, none unless it says so."""
    wish = config.get("max_retries", 0)
    return min(wish, MAX_RETRIES) if isinstance(wish, int) and not isinstance(wish, bool) and wish > 0 else 0
