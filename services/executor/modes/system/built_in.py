"""The functions that come with the platform, by slug: those of `shared.registry.BUILT_IN`."""

from services.executor.mode import Opening
from services.executor.modes.system.example import example
from shared.system import SystemFunction


NAMES = ("data_processing_job", "example", "send_notification")


def functions(opening: Opening) -> dict[str, SystemFunction]:
    """All of them, each with what it needs."""
    return {"example": example}
