"""A tenant: whose functions, users and invocations stand apart from everybody else's."""

import re
from datetime import datetime
from typing import Any

import msgspec

from shared.domain.concurrency import CONCURRENCY, check_concurrency
from shared.domain.limits import FIELDS, Amount
from shared.domain.problem import Problem
from shared.domain.rates import Rates
from shared.domain.retention import RETENTION

DEFAULT = "default"
"""The tenant that is there from the start."""
MAX_SLUG = 50  # it is a label of a host name, which may have 63
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant as it is configured. `limits` are ceilings by the names of `limits.Limits`; what is not there is free.

    Its `retention_days` are how long the record of a call is kept after its end.
    Its `concurrency` is how many of its calls may run side by side in each pool, not counting those that others call.

    `rate_limits` are requests a minute by the names of `rates.Rates`, in place of the platform's; 0 for no limit.

    One that is not active is refused everything.
    """

    slug: str
    name: str = ""
    limits: dict[str, Amount] = {}
    rate_limits: dict[str, int] = {}
    is_active: bool = True
    created_at: datetime | None = None


def is_tenant_slug(text: str) -> bool:
    """Whether the text can be a tenant's name in host names and subjects."""
    return len(text) <= MAX_SLUG and _SLUG.fullmatch(text) is not None


def check_tenant_slug(slug: str) -> None:
    """Raises Problem(invalid)."""
    if not is_tenant_slug(slug):
        message = f"slug must be 1 to {MAX_SLUG} characters: words of a-z and 0-9, joined by -"
        raise Problem("invalid", message, {"slug": message})


def check_ceilings(limits: dict[str, Amount]) -> None:
    """Refuse ceilings of limits that there are not, or that are not positive. Raises Problem(invalid)."""
    for name, amount in limits.items():
        if name not in (*FIELDS, CONCURRENCY, RETENTION):
            message = f"limits knows: {', '.join((*FIELDS, CONCURRENCY, RETENTION))}; not {name!r}"
            raise Problem("invalid", message, {"limits": message})
        if not amount > 0:
            message = f"limits.{name} must be a number above 0"
            raise Problem("invalid", message, {f"limits.{name}": message})
    check_concurrency(limits, under="limits.")


def check_rates(rates: dict[str, Any]) -> None:
    """Refuse rate limits that there are not, or that are not whole numbers. Raises Problem(invalid)."""
    for name, rate in rates.items():
        if name not in Rates.__struct_fields__:
            message = f"rate_limits knows: {', '.join(Rates.__struct_fields__)}; not {name!r}"
            raise Problem("invalid", message, {"rate_limits": message})
        if not isinstance(rate, int) or rate < 0:
            message = f"rate_limits.{name} must be a whole number of requests a minute, 0 for no limit"
            raise Problem("invalid", message, {f"rate_limits.{name}": message})
