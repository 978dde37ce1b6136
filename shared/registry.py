"""Which system functions there are: the built-in ones, and those that installed packages name as entry points.

Only the packages' metadata is read. Their code is imported by the executor alone, which runs it.
"""

import importlib.metadata
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from shared.domain import callback
from shared.domain.function import MAX_SLUG, RESERVED_SLUGS, SYSTEM_ID, Function
from shared.domain.limits import key_of
from shared.domain.retry import MAX_RETRIES
from shared.system import GROUP, MAX_TIMEOUT_S

BUILT_IN = ("data_processing_job", "example", "send_notification")
INTERNAL = (callback.SLUG,)
"""Those that the platform calls for itself: their invocations are seen, but nobody else calls them."""
_SLUG = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
# The executor knows what the function itself says; here it is only what tenant and platform permit at most.
_CONFIG = {key_of("timeout_s"): MAX_TIMEOUT_S, "max_retries": MAX_RETRIES}
# A receiver may be away for long, and each call of it takes a slot: pauses grow to an hour.
_OWN_CONFIG: dict[str, dict[str, Any]] = {callback.SLUG: {"retry_most_s": 3600.0}}
_ALWAYS = datetime.fromtimestamp(0, UTC)


class Refused(NamedTuple):
    """An entry point that is no system function, and why."""

    name: str
    package: str
    reason: str


class Registry:
    """System functions by slug. `entries` are those of packages, `refused` what was not taken.

    `slugs` are of those that may be called; the internal ones are known beside them.
    """

    def __init__(self, entries: Iterable[importlib.metadata.EntryPoint] = (), refused: Iterable[Refused] = ()) -> None:
        self.entries = {entry.name: entry for entry in entries}
        self.refused = list(refused)
        self.slugs = sorted({*BUILT_IN, *self.entries})
        self._offered = frozenset(self.slugs)
        self._known = self._offered.union(INTERNAL)

    def __contains__(self, slug: object) -> bool:
        return slug in self._known

    def offered(self, tenant: str, slug: str) -> Function | None:
        """The `function`, where it is one that users may call."""
        return self.function(tenant, slug) if slug in self._offered else None

    def function(self, tenant: str, slug: str) -> Function | None:
        """The system function as one of this tenant's, without an id of its own; None when there is none."""
        if slug not in self._known:
            return None
        return Function(
            id=SYSTEM_ID,
            tenant=tenant,
            app=0,
            app_slug="",
            app_name="",
            name=slug,
            slug=slug,
            execution_mode="system",
            category="system",
            config=_CONFIG | _OWN_CONFIG.get(slug, {}),
            revision=0,
            created_at=_ALWAYS,
            updated_at=_ALWAYS,
        )


WITHOUT_PACKAGES = Registry()
"""The built-in functions alone."""


def read() -> Registry:
    """What is installed now. A package whose metadata cannot be read is left out, and named."""
    entries: dict[str, list[importlib.metadata.EntryPoint]] = {}
    refused: list[Refused] = []
    seen: set[str] = set()
    for package in importlib.metadata.distributions():
        if GROUP not in (package.read_text("entry_points.txt") or ""):  # all others are not worth parsing
            continue
        name = str(package.metadata["Name"] or "").lower()
        if name in seen:  # a second copy further down the path: Python would never import it
            continue
        seen.add(name)
        try:
            named = [entry for entry in package.entry_points if entry.group == GROUP]
        except Exception as error:  # noqa: BLE001 - whatever is wrong with its metadata is that package's alone
            refused.append(Refused("", name, f"its entry points cannot be read: {error}"))
            continue
        for entry in named:
            entries.setdefault(entry.name, []).append(entry)
    taken = []
    for slug, claims in sorted(entries.items()):
        if reason := _fault(slug, claims):
            refused.extend(Refused(slug, package_of(entry), reason) for entry in claims)
        else:
            taken.append(claims[0])
    return Registry(taken, refused)


def package_of(entry: importlib.metadata.EntryPoint) -> str:
    """The name of the package that has it."""
    return str(entry.dist.name) if entry.dist is not None else ""


def _fault(slug: str, claims: list[importlib.metadata.EntryPoint]) -> str:
    """Why this name is not to be had. What two packages claim nobody gets: whose would run would be chance."""
    if not _SLUG.fullmatch(slug) or len(slug) > MAX_SLUG:
        return f"a slug is 1 to {MAX_SLUG} characters: words of a-z and 0-9, joined by _ or -"
    if slug in RESERVED_SLUGS:
        return "the slug is reserved"
    if slug in BUILT_IN or slug in INTERNAL:
        return "the slug is that of a built-in function"
    if len(claims) > 1:
        return f"the slug is claimed by several packages: {', '.join(sorted(map(package_of, claims)))}"
    return ""
