"""For how long the record of an invocation is kept after its end."""

from collections.abc import Mapping

from shared.domain.limits import Amount

RETENTION = "retention_days"
"""What a tenant's own value is called among its limits."""
DAY_S = 86_400.0


def kept_s(days: float, *, streams_days: float, tenant: Mapping[str, Amount]) -> float:
    """Seconds from the end of a call, 0 for good; the tenant's own value takes the place of the platform's `days`.

    A record outlives by a day what the streams have of its invocation: whoever compares the two, or writes the record
    anew from them, finds it.
    """
    wanted = float(tenant.get(RETENTION, days))
    return max(wanted, streams_days + 1) * DAY_S if wanted > 0 else 0.0
