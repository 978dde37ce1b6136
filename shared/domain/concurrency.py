"""How many calls may run side by side, everywhere together: of one function, and of a tenant's in one pool. Pure."""

from collections.abc import Mapping
from typing import Any

from shared.domain.problem import wrong

KEY = "concurrency"
"""What it is called in a function's `config` and among a tenant's limits."""
MOST = 1000


def concurrency_of(config: Mapping[str, Any]) -> int:
    """The function's own limit, 0 where it has none."""
    wish = config.get(KEY, 0)
    return wish if _is_count(wish) else 0


def bound_of(config: Mapping[str, Any], *, tenant: Mapping[str, Any]) -> int:
    """The limit of a function's own lane, which its tenant's bounds; 0 for none."""
    limits = [limit for limit in (concurrency_of(config), concurrency_of(tenant)) if limit]
    return min(limits, default=0)


def check_concurrency(config: Mapping[str, Any]) -> None:
    """Refuse a limit that is none. Raises Problem(invalid)."""
    if KEY in config and not _is_count(config[KEY]):
        raise wrong(f"config.{KEY}", f"config.{KEY} must be a whole number from 1 to {MOST}")


def _is_count(wish: object) -> bool:
    return isinstance(wish, int) and not isinstance(wish, bool) and 1 <= wish <= MOST
