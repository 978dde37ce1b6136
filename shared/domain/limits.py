"""The bounds of one call: what a function asks for, what its tenant may have, what the platform allows at most."""

from collections.abc import Mapping
from typing import Any

import msgspec

from shared.domain.problem import Problem

Amount = int | float

# The names that a function's `config` and a tenant's limits use, where they are not the field's own.
_KEYS = {"timeout_s": "timeout"}
_SECONDS = frozenset({"timeout_s", "cpu_s"})
_LEAST = {"memory_mb": 64, "log_lines": 0, "output_bytes": 0}
_LEAST_S = 0.001


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one call: seconds of wall clock and of CPU, megabytes, bytes of UTF-8 or JSON, lines.

    `output_bytes` bounds what a call prints and logs together, `log_lines` how many lines it logs.
    """

    timeout_s: float
    cpu_s: float
    memory_mb: int
    output_bytes: int
    log_lines: int
    result_bytes: int
    params_bytes: int


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The platform's word: what a function has that asks for nothing, and the most that any may have."""

    default: Limits
    most: Limits


FIELDS: tuple[str, ...] = Limits.__struct_fields__


def key_of(field: str) -> str:
    """What a limit is called in a function's `config`: `timeout` for `timeout_s`, else the field's own name."""
    return _KEYS.get(field, field)


def limits_of(config: Mapping[str, Any], bounds: Bounds, *, tenant: Mapping[str, Amount]) -> Limits:
    """The limits of a function's calls: its wish or the default, never over the tenant's nor the platform's bound.

    A function without a bound of CPU time of its own may compute for as long as it may run.
    """
    values: dict[str, Any] = {}
    for field in FIELDS:
        wish = config.get(key_of(field), getattr(bounds.default, field))
        values[field] = min(wish, tenant.get(field, wish), getattr(bounds.most, field))
    values["cpu_s"] = min(values["cpu_s"], values["timeout_s"])
    return Limits(**values)


def check_limits(
    wishes: Mapping[str, Any], most: Limits, *, tenant: Mapping[str, Amount] | None = None, under: str = "config."
) -> None:
    """Refuse limits that are not numbers of their kind or over what this tenant may have. Raises Problem(invalid)."""
    for field in FIELDS:
        key = key_of(field)
        if key in wishes:
            cap = min(getattr(most, field), (tenant or {}).get(field, getattr(most, field)))
            _check(f"{under}{key}", wishes[key], cap, field)


def _check(name: str, wish: object, cap: Amount, field: str) -> None:
    seconds = field in _SECONDS
    kinds = (int, float) if seconds else (int,)
    least = _LEAST_S if seconds else min(_LEAST.get(field, 1), cap)
    if isinstance(wish, bool) or not isinstance(wish, kinds) or not least <= wish <= cap:
        what = "a number of seconds" if seconds else "a whole number"
        message = f"{name} must be {what} from {least:g} to {cap:.15g}"
        raise Problem("invalid", message, {name: message})
