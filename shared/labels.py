"""Values of labels that come from users, bounded: a series for each would fill the memory of whoever reads them."""

from collections import Counter
from collections.abc import Hashable
from typing import Generic, TypeVar

from shared.domain.outcome import STATUS_CODES

OTHER = "other"
"""All that have no label of their own."""
NAMED_OTHER = "slug:other"
"""A tenant or a function that is really called so: no slug has a colon."""
NONE = "none"
"""What is not known, or is not there."""

ERRORS = frozenset(STATUS_CODES) | {
    "CodeRefused",
    "ConnectTimeout",
    "EgressRefused",
    "HTTPError",
    "IdempotencyKeyReused",
    "InvalidRequest",
    "InvalidURL",
    "LoopLimitExceeded",
    "MailServerUnavailable",
    "MemoryError",
    "NoRecord",
    "NotAccepted",
    "NotLoaded",
    "NotSigned",
    "NotSupported",
    "ProviderUnavailable",
    "ReceiverRefused",
    "ReceiverUnavailable",
    "RecipientsRefused",
    "RedirectRefused",
    "RequestRefused",
    "TooManyInvokes",
    "TriggerLoop",
    "Unavailable",
    "WorkerDied",
}
"""The types of errors that the platform itself gives. All others are a function's own."""

Value = TypeVar("Value", bound=Hashable)


def error(error_type: str) -> str:
    """The label of a type of error, which a function may have chosen."""
    if error_type in ERRORS:
        return error_type
    return OTHER if error_type else NONE


class Bounded(Generic[Value]):
    """The first `most` values that are seen have labels of their own, for as long as the process lives."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[Value] = set()

    def has_own(self, value: Value) -> bool:
        """Whether the value has a label of its own."""
        if value in self._known:
            return True
        if len(self._known) >= self._most:
            return False
        self._known.add(value)
        return True


class FunctionLabels:
    """Tenant and function as labels: up to so many `functions`, of up to so many `tenants`.

    The first to come are given them, for as long as the process lives. No tenant has more than are left for all others:
    the first one may take half of them, the next one half of the rest. Where `tenants` is 1, it may have them all.
    """

    def __init__(self, *, functions: int, tenants: int) -> None:
        self._left = functions
        self._shared = tenants > 1
        self._tenants: Bounded[str] = Bounded(tenants)
        self._functions: dict[tuple[str, str], tuple[str, str]] = {}
        self._taken: Counter[str] = Counter()

    def of(self, tenant: str, function: str) -> tuple[str, str]:
        """The two labels. Functions of a tenant without a label have none."""
        own = self._functions.get((tenant, function))
        if own is not None:
            return own
        if not self._tenants.has_own(tenant):
            return OTHER, OTHER
        taken = self._taken[tenant] if self._shared else 0
        if taken >= self._left:
            return _shown(tenant), OTHER
        self._left -= 1
        self._taken[tenant] += 1
        own = self._functions[tenant, function] = _shown(tenant), _shown(function)
        return own


def _shown(slug: str) -> str:
    return NAMED_OTHER if slug == OTHER else slug
