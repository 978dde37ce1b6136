"""The settings of a function that a caller sends: refused where this platform cannot do or keep them."""

from typing import Any

from shared.domain.credentials import check_auth
from shared.domain.function import ENVIRONMENTS, check_freeform
from shared.domain.headers import check_header
from shared.domain.problem import wrong
from shared.domain.webhook import check_url

_FREEFORM = ("auth_config", "headers", "config", "schedule_params")


def check_settings(settings: dict[str, Any]) -> None:
    """Refuse what cannot be done or kept. Raises Problem(invalid)."""
    mode = settings.get("execution_mode", "app")
    if mode == "system":
        message = "System functions are registered by administrators and cannot be created via the API"
        raise wrong("execution_mode", message)
    if mode == "proxy" and not settings.get("webhook_url"):
        raise wrong("webhook_url", "webhook_url is required for PROXY mode")
    if settings.get("environment", "python") not in ENVIRONMENTS:
        raise wrong("environment", f"environment must be one of: {', '.join(ENVIRONMENTS)}")
    if url := settings.get("webhook_url"):
        check_url(url, field="webhook_url")
    for name, value in settings.get("headers", {}).items():
        check_header(name, value, field="headers")
    for field in _FREEFORM:
        check_freeform(field, settings.get(field, {}))
    check_auth(settings.get("auth_config", {}))
