"""How many calls may run side by side, everywhere together, and how many may be queued. Pure."""

from collections.abc import Mapping
from typing import Any

from shared.domain.problem import wrong

CONCURRENCY = "concurrency"
"""What it is called in a function's `config` and among a tenant's limits."""
MAX_QUEUED = "max_queued"
"""What it is called in a function's `config`."""
_MOST = {CONCURRENCY: 1000, MAX_QUEUED: 10_000_000}


def concurrency_of(config: Mapping[str, Any]) -> int:
    """How many calls may run side by side, 0 for no limit: of a function by its `config`, of a tenant by its limits."""
    return _count(config, CONCURRENCY)


def max_queued_of(config: Mapping[str, Any]) -> int:
    """How many calls of the function may be queued, 0 for no limit of its own."""
    return _count(config, MAX_QUEUED)


def has_own_lane(config: Mapping[str, Any]) -> bool:
    """Whether the function's calls are queued apart from those of its tenant's others."""
    return bool(concurrency_of(config) or max_queued_of(config))


def bound_of(config: Mapping[str, Any], *, tenant: Mapping[str, Any]) -> int:
    """How many calls in a function's own lane may run side by side: by its limit, and its tenant's; 0 for no limit."""
    limits = [limit for limit in (concurrency_of(config), concurrency_of(tenant)) if limit]
    return min(limits, default=0)


def check_concurrency(config: Mapping[str, Any], *, under: str = "config.") -> None:
    """Refuse limits that are none. Raises Problem(invalid)."""
    for name, most in _MOST.items():
        if name in config and not _count(config, name):
            raise wrong(f"{under}{name}", f"{under}{name} must be a whole number from 1 to {most}")


def _count(config: Mapping[str, Any], name: str) -> int:
    wish = config.get(name, 0)
    return wish if isinstance(wish, int) and not isinstance(wish, bool) and 1 <= wish <= _MOST[name] else 0
