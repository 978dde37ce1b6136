"""When a failed try is worth another one, and when that one is due. Pure: the clock and the dice are the caller's."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import msgspec

from shared.domain.problem import Problem

MAX_RETRIES = 100
MAX_PAUSE_S = 86_400.0

ErrorClass = Literal["timeout", "error", "infrastructure"]
"""Why a try failed: it took too long, its code or its endpoint failed, or the platform did."""
_TIMEOUTS = frozenset({"TimeoutError", "ConnectTimeout", "CpuLimitExceeded"})
_INFRASTRUCTURE = frozenset({"WorkerDied", "ExecutorLost", "Undeliverable", "SecretUnreadable"})
# What was asked, or how it was set up, is at fault: the same call would fail in the same way for ever.
_LASTING = frozenset(
    {
        *("FunctionNotFound", "NoActiveCode", "TenantNotActive", "TriggerLoop", "CodeRefused", "NotSupported"),
        *("ParamsTooLarge", "ResultTooLarge", "RequestRefused", "EgressRefused", "SandboxViolation"),
        *("Undeliverable", "AttemptLost", "Cancelled", "Expired"),
    }
)

_DELIVERIES = ("at_least_once", "at_most_once")
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

    def of(self, *, first_s: float, most_s: float) -> "Backoff":
        """With a function's own pauses, 0 for those that it leaves to these."""
        first_s = first_s or self.first_s
        return Backoff(first_s=first_s, most_s=most_s or max(self.most_s, first_s), most_asked_s=self.most_asked_s)

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


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How many tries may follow the first one, by the class of the error that the last one ended with.

    A try with the number n is followed by another if n is not above the number of its class.
    """

    timeout: int = 0
    error: int = 0
    infrastructure: int = 0

    def after(self, error_class: ErrorClass) -> int:
        """Those of a class."""
        return int(getattr(self, error_class))

    @property
    def most(self) -> int:
        """The most that there can be."""
        return max(self.timeout, self.error, self.infrastructure)


def class_of(error_type: str) -> ErrorClass:
    """The class of an error by its type, as `Outcome.error_type` names it."""
    if error_type in _TIMEOUTS:
        return "timeout"
    return "infrastructure" if error_type in _INFRASTRUCTURE else "error"


def is_lasting(error_type: str) -> bool:
    """Whether another try cannot end better, whatever its class has left: it is not made."""
    return error_type in _LASTING


def retries_of(config: Mapping[str, Any]) -> Retries:
    """How often a function wants its failed tries repeated: `max_retries`, and `retries` for a class of errors."""
    most, by_class = config.get("max_retries", 0), config.get("retries")
    wishes = by_class if isinstance(by_class, Mapping) else {}
    return Retries(**{name: _count(wishes.get(name, most)) for name in Retries.__struct_fields__})


def runs_at_most_once(config: Mapping[str, Any]) -> bool:
    """Whether a call of the function is not to be run again where nobody knows whether it was."""
    return config.get("delivery") == "at_most_once"


def backoff_of(config: Mapping[str, Any]) -> tuple[float, float]:
    """The function's own first and longest pause, seconds; 0 for what it leaves to the executor."""
    return float(config.get("retry_first_s", 0.0)), float(config.get("retry_most_s", 0.0))


def check_retries(config: Mapping[str, Any]) -> None:
    """Refuse retries that make no sense. Raises Problem(invalid)."""
    _check_count("max_retries", config.get("max_retries", 0))
    by_class = config.get("retries", {})
    names = Retries.__struct_fields__
    if not isinstance(by_class, Mapping) or not by_class.keys() <= set(names):
        raise _wrong("retries", f"must be an object with numbers for {', '.join(names)}")
    for name, wish in by_class.items():
        _check_count(f"retries.{name}", wish)
    for field in ("retry_first_s", "retry_most_s"):
        wish = config.get(field, 0.0)
        if isinstance(wish, bool) or not isinstance(wish, int | float) or not 0 <= wish <= MAX_PAUSE_S:
            raise _wrong(field, f"must be a number of seconds from 0 to {MAX_PAUSE_S:.0f}")
    delivery = config.get("delivery", _DELIVERIES[0])
    if delivery not in _DELIVERIES:
        raise _wrong("delivery", f"must be one of {', '.join(_DELIVERIES)}")
    if runs_at_most_once(config) and retries_of(config).most:
        raise _wrong("delivery", "cannot be at_most_once beside retries: each of them runs the function once more")


def _check_count(name: str, wish: object) -> None:
    if not isinstance(wish, int) or isinstance(wish, bool) or not 0 <= wish <= MAX_RETRIES:
        raise _wrong(name, f"must be a whole number from 0 to {MAX_RETRIES}")


def _wrong(name: str, rule: str) -> Problem:
    message = f"config.{name} {rule}"
    return Problem("invalid", message, {f"config.{name}": message})


def _count(wish: object) -> int:
    return min(wish, MAX_RETRIES) if isinstance(wish, int) and not isinstance(wish, bool) and wish > 0 else 0
