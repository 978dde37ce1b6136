"""What stands where in the site: sections of pages. A page that is in none of them is a how-to."""

from collections.abc import Iterable
from typing import Any

import msgspec

DECISIONS = "decisions/README.md"

SECTIONS: dict[str, list[str] | dict[str, list[str]]] = {
    "Tutorial": ["tutorial.md"],
    "How-to": {
        "Functions": [
            "apps.md", "python.md", "javascript.md", "proxy.md", "system-functions.md", "plugins.md", "plugins-api.md"
        ],
        "Calling": ["calling.md", "idempotency.md", "cancelling.md", "callbacks.md", "retries.md", "dead-letters.md"],
        "Triggers": [
            "schedules.md", "webhooks.md", "realtime.md", "channels.md", "event-sources.md", "s3-uploads.md",
            "s3-polling.md",
        ],
        "People": ["identity.md", "secrets.md", "fairness.md"],
        "Watching": ["logs.md", "log-actions.md", "metrics.md", "monitoring.md", "traces.md", "cli.md"],
    },
    "Operations": [
        "sizing.md", "backup.md", "upgrade.md", "scaling.md", "kubernetes.md", "outages.md", "audit.md", "runbooks.md",
        "chaos.md", "benchmarks.md",
    ],
    "Reference": [
        "settings.md",
        "reference/settings.md",
        "reference/http-api.md", "reference/http-apps.md", "reference/http-plugins.md", "api.md", "reference/errors.md",
        "reference/statuses.md", "reference/limits.md", "reference/cli.md", "reference/metrics.md", "reference/bus.md",
        "changelog.md",
    ],
    "Explanation": ["architecture.md", "delivery.md", "security.md"],
}  # fmt: skip
"""A page that is not there yet is passed over."""


def navigation(pages: Iterable[str]) -> list[Any]:
    """The navigation over these pages, as the generator takes it: every page stands in it once."""
    there = set(pages) - {"index.md", DECISIONS}
    decisions = sorted(page for page in there if page.startswith("decisions/"))
    there.difference_update(decisions)
    sections = {title: _section(inside, there) for title, inside in SECTIONS.items()}
    sections["How-to"] += sorted(there)
    sections["Explanation"].append({"Decisions": [{"All of them": DECISIONS}, *decisions]})
    return [{"Shoal": "index.md"}, *({title: inside} for title, inside in sections.items() if inside)]


def _section(inside: list[str] | dict[str, list[str]], there: set[str]) -> list[Any]:
    if isinstance(inside, list):
        return _taken(inside, there)
    return [{group: found} for group, names in inside.items() if (found := _taken(names, there))]


def toml(nav: list[Any]) -> str:
    """The navigation as a value in TOML."""
    parts = []
    for entry in nav:
        if isinstance(entry, str):
            parts.append(_quoted(entry))
        else:
            [(title, inside)] = entry.items()
            parts.append(f"{{{_quoted(title)} = {_quoted(inside) if isinstance(inside, str) else toml(inside)}}}")
    return f"[{', '.join(parts)}]"


def _taken(names: list[str], there: set[str]) -> list[str]:
    found = [name for name in names if name in there]
    there.difference_update(found)
    return found


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
