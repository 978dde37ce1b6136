"""What a function's calls have come to. Pure."""

from services.api.core import metrics as core
from services.api.dialects.apps.translate.stamps import maybe
from services.api.dialects.apps.wire.functions import Metrics

_MANY_ERRORS = 10.0  # in a hundred, of the last 24 hours


def metrics(found: core.Metrics) -> Metrics:
    """What is told of a function."""
    return Metrics(
        total_invocations=found.total_invocations,
        error_count=found.error_count,
        error_rate=round(found.error_rate, 4),
        avg_duration_ms=round(found.avg_duration_ms, 3),
        p50_duration_ms=round(found.p50_ms, 3),
        p95_duration_ms=round(found.p95_ms, 3),
        p99_duration_ms=round(found.p99_ms, 3),
        last_invocation=maybe(found.last_invocation),
        last_status=found.last_status or None,
        invocations_24h=found.invocations_24h,
        error_count_24h=found.errors_24h,
        error_rate_24h=round(found.rate_24h, 4),
    )


def fails_often(found: core.Metrics) -> bool:
    """Whether more than a tenth of its latest calls failed."""
    return found.rate_24h > _MANY_ERRORS
