"""Pages that are made of the code, by their names in the site."""

from collections.abc import Callable
from functools import partial

from docsite.reference import (
    asyncapi,
    bus,
    command_line,
    errors,
    http_api,
    limits,
    metrics,
    openapi,
    settings,
    statuses,
)

PAGES: dict[str, Callable[[], str]] = {
    "reference/settings.md": settings.made,
    "reference/metrics.md": metrics.made,
    "reference/errors.md": errors.made,
    "reference/limits.md": limits.made,
    "reference/statuses.md": statuses.made,
    "reference/cli.md": command_line.made,
    "reference/http-api.md": partial(http_api.made, "rest"),
    "reference/openapi.json": partial(openapi.text, "rest"),
    "reference/http-apps.md": partial(http_api.made, "apps"),
    "reference/openapi-apps.json": partial(openapi.text, "apps"),
    "reference/http-plugins.md": partial(http_api.made, "plugins"),
    "reference/openapi-plugins.json": partial(openapi.text, "plugins"),
    "reference/bus.md": bus.made,
    "reference/asyncapi.json": asyncapi.text,
}
