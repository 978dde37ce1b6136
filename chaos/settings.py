"""What every service is told, beside where the servers are."""

from pathlib import Path

from chaos import effects
from shared import embedded

LEASE_S = 12.0
"""Longer than a cluster of the bus takes to choose anew who has a consumer, which is 4 to 9 s."""
_DRAIN_S = 3.0


def of(folder: Path, *, bus: str, store: str, replicas: int = 3, lease_s: float = LEASE_S) -> dict[str, str]:
    """The environment. Room on the disk is set aside three times over, so there is to be less of it."""
    return {
        "NATS_URL": bus,
        "MONGODB_URL": store,
        "PYTHONPATH": effects.path_with(folder / "packages"),
        effects.FILE: str(folder / "effects.log"),
        "SHOAL_STREAM_REPLICAS": str(replicas),
        "SHOAL_LEASE_S": str(lease_s),
        "SHOAL_DRAIN_S": str(_DRAIN_S),
        "SHOAL_INVOKE_BYTES": str(1 << 30),
        "SHOAL_EVENT_BYTES": str(2 << 30),
        "SHOAL_API_RATE_LIMITS": "false",
        "SHOAL_EGRESS_PRIVATE": "true",
        "SHOAL_LOG_FORMAT": "json",
        "SHOAL_SECRET_KEY": embedded.secret(folder / "secret.key"),
        "SHOAL_EXECUTOR_RETRY_FIRST_S": "0.2",
        "SHOAL_EXECUTOR_RETRY_MOST_S": "3",
    }
