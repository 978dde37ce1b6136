"""What stands where in the site: sections of pages. A page that is in none of them is a how-to."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Nav = Mapping[str, "Nav | str"] | str

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
        "Watching": ["logs.md", "metrics.md", "monitoring.md", "traces.md", "cli.md"],
    },
    "Operations": [
        "sizing.md", "backup.md", "upgrade.md", "scaling.md", "kubernetes.md", "outages.md", "audit.md", "runbooks.md",
        "chaos.md", "benchmarks.md",
    ],
    "Reference": [
        "settings.md", "reference/settings.md", "reference/http-api.md", "api.md", "reference/errors.md",
        "reference/statuses.md", "reference/limits.md", "reference/cli.md", "reference/metrics.md", "reference/bus.md",
        "changelog.md",
    ],
    "Explanation": ["architecture.md", "delivery.md", "security.md"],
}  # fmt: skip
"""A page that is not there yet is passed over."""


def navigation(pages: Iterable[str]) -> list[Any]:
    """The navigation over these pages, as the generator takes it: every page stands in it once."""
    there = set(pages) - {"index.md"}
    nav: list[Any] = [{"Shoal": "index.md"}]
    for title, inside in SECTIONS.items():
        if isinstance(inside, list):
            found: list[Any] = _taken(inside, there)
        else:
            found = [{group: taken} for group, names in inside.items() if (taken := _taken(names, there))]
        nav.append({title: found})
    decisions = sorted(page for page in there if page.startswith("decisions/") and page != DECISIONS)
    there -= {DECISIONS, *decisions}
    nav[-1]["Explanation"].append({"Decisions": [{"All of them": DECISIONS}, *decisions]})
    nav[2]["How-to"].extend(sorted(there))
    return nav


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
