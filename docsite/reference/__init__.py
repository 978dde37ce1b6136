"""Pages that are made of the code, by their names in the site."""

from collections.abc import Callable

from docsite.reference import asyncapi, bus, command_line, errors, limits, metrics, settings, statuses

PAGES: dict[str, Callable[[], str]] = {
    "reference/settings.md": settings.made,
    "reference/metrics.md": metrics.made,
    "reference/errors.md": errors.made,
    "reference/limits.md": limits.made,
    "reference/statuses.md": statuses.made,
    "reference/cli.md": command_line.made,
    "reference/bus.md": bus.made,
    "reference/asyncapi.json": asyncapi.text,
}
