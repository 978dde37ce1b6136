"""A function: its settings, its limits, and how its slug is made."""

import itertools
import re
import unicodedata
from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any, Literal, get_args

import msgspec

from shared.domain.callback import check_callbacks
from shared.domain.concurrency import check_concurrency
from shared.domain.dead_letter import check_dead_letter
from shared.domain.egress_policy import check_egress
from shared.domain.limits import Amount, Limits, check_limits
from shared.domain.plugin import Plugin
from shared.domain.problem import Problem, wrong
from shared.domain.retry import check_retries
from shared.domain.trigger import HTTP_BY_DEFAULT, Trigger, TriggerKind

ExecutionMode = Literal["app", "proxy", "system"]
MissedRuns = Literal["skip", "once"]
Overlap = Literal["allow", "skip"]
AgentToolMode = Literal["read_only", "read_write"]
AgentToolAudience = Literal["developer_only", "end_user"]

Environment = Literal["python", "javascript"]
"""What the code of an `app` function may be written for: each is an executor pool."""
ENVIRONMENTS: tuple[Environment, ...] = get_args(Environment)
POOLS = (*ENVIRONMENTS, "proxy", "system")
"""All executor pools."""
DEPLOYED_FOR: Environment = "javascript"
"""What it is written for where a deployment by name does not say."""

# Words that are path segments of the HTTP dialects; a slug that equals one would make a URL ambiguous.
RESERVED_SLUGS = frozenset(
    "id list export create sync load code invocations result aggregate public apps v1".split()  # noqa: SIM905 - a list of words
)

MAX_SLUG = 100
MAX_NAME = 100
_NO_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f/]")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")

SYSTEM_ID = 0
"""The id of every system function: it stands in no table, and its slug alone says which one it is."""

# Bounds of the settings whose inside is the user's own: `config`, `headers`, `schedule_params`.
MAX_FREEFORM_BYTES = 64 << 10
MAX_FREEFORM_DEPTH = 20


class ActiveVersion(msgspec.Struct, frozen=True):
    """The code version that runs: a function has at most one, and this is the only place that says which."""

    id: int
    version: str
    code_hash: str


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function as it is configured. `revision` grows by one at every change of the function or its active code.

    `schedule_timezone` is an IANA name. `schedule_missed_runs` says what becomes of the runs that were missed while the
    platform was down, `schedule_overlap` what becomes of a run whose predecessor has not ended.

    `triggers` are all but the one of kind cron, which is the schedule. `env` are sealed values by key (place
    `app.env_place`), and `env_revision` grows when they change, or those of the app. `deployed_as` is the name under
    which it was deployed, one of its own in its app; empty for one that was not. One with `deleted_at` is not there any
    more but for who asks for deleted ones, and may come back. `plugin` is there for what is kept as a plugin: its code
    and its name are changed as such, and by no other way.
    """

    id: int
    tenant: str
    app: int
    app_slug: str
    app_name: str
    name: str
    slug: str
    execution_mode: ExecutionMode
    environment: str = "python"
    category: str = ""
    description: str = ""
    webhook_url: str = ""
    auth_config: dict[str, Any] = {}
    headers: dict[str, str] = {}
    config: dict[str, Any] = {}
    is_active: bool = True
    schedule_enabled: bool = False
    cron_expression: str = ""
    schedule_params: dict[str, Any] = {}
    schedule_timezone: str = "UTC"
    schedule_missed_runs: MissedRuns = "once"
    schedule_overlap: Overlap = "allow"
    active: ActiveVersion | None = None
    triggers: tuple[Trigger, ...] = (HTTP_BY_DEFAULT,)
    env: dict[str, str] = {}
    env_revision: int = 0
    agent_tool: bool = False
    agent_tool_description: str | None = None
    agent_tool_mode: AgentToolMode = "read_only"
    agent_tool_exposed_to: AgentToolAudience = "developer_only"
    deployed_as: str = ""
    deployed_at: datetime | None = None
    deleted_at: datetime | None = None
    plugin: Plugin | None = None
    revision: int = 1
    created_at: datetime
    updated_at: datetime

    @property
    def is_scheduled(self) -> bool:
        """Whether it is to run by its cron expression."""
        return self.is_active and self.schedule_enabled and bool(self.cron_expression)

    def trigger(self, kind: TriggerKind) -> Trigger | None:
        """Its trigger of this kind, but for cron, if it has one that is enabled."""
        return next((trigger for trigger in self.triggers if trigger.type == kind and trigger.enabled), None)

    @property
    def pool(self) -> str:
        """The executor pool that runs it: the environment for code, else the mode's own name."""
        return self.environment if self.execution_mode == "app" else self.execution_mode


def slugify(name: str) -> str:
    """Lower-case ASCII words joined by `-`, at most 100 characters; empty when the name has none."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:MAX_SLUG].strip("-")


def is_slug(text: str) -> bool:
    """Whether the text has the form of a slug."""
    return len(text) <= MAX_SLUG and _SLUG.fullmatch(text) is not None


def check_name(name: str) -> None:
    """Refuse a name that could not stand in a path: 1 to 100 characters, none of them `/`. Raises Problem(invalid)."""
    if not 0 < len(name) <= MAX_NAME or not name.strip():
        raise wrong("name", f"name must be 1 to {MAX_NAME} characters")
    if _NO_NAME.search(name) or name in (".", ".."):
        raise wrong("name", "name must have no / and no control characters, and be more than one or two dots")


def free_slug(slug: str, taken: Container[str]) -> str:
    """The slug itself, or with the lowest suffix `-2`, `-3` … that makes it neither taken nor reserved."""
    numbered = (f"{slug}-{number}" for number in itertools.count(2))
    return next(free for free in itertools.chain([slug], numbered) if free not in taken and free not in RESERVED_SLUGS)


def check_config(config: dict[str, Any], most: Limits, *, tenant: Mapping[str, Amount]) -> None:
    """Refuse a `config` whose limits, egress, retries or callback make no sense or are over what this tenant may have.

    Raises Problem(invalid).
    """
    check_limits(config, most, tenant=tenant)
    check_egress(config)
    check_retries(config)
    check_concurrency(config)
    check_callbacks(config)
    check_dead_letter(config)


def check_freeform(field: str, value: dict[str, Any]) -> None:
    """Refuse a free-form setting that cannot be kept: too deep, too large, or with numbers beyond 64 bits.

    Raises Problem(invalid).
    """
    fault = _unkeepable(value, MAX_FREEFORM_DEPTH)
    if not fault and len(msgspec.json.encode(value)) > MAX_FREEFORM_BYTES:
        fault = f"must not be longer than {MAX_FREEFORM_BYTES} bytes"
    if fault:
        message = f"{field} {fault}"
        raise Problem("invalid", message, {field: message})


def _unkeepable(value: object, depth: int) -> str:
    if depth < 0:
        return f"must not be nested deeper than {MAX_FREEFORM_DEPTH} levels"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "must not hold whole numbers beyond 64 bits"
    if isinstance(value, dict):
        if any("\0" in key for key in value):
            return "must not have keys with a NUL character"
        if "$ref" in value and "$id" in value:  # what the store reads as a reference of its own
            return "must not hold an object with both $ref and $id"
        value = list(value.values())
    if isinstance(value, list):
        return next((fault for entry in value if (fault := _unkeepable(entry, depth - 1))), "")
    return ""
