"""Functions as bodies, field by field: some names are in the one spelling, some in the other, as clients expect."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from shared.domain.egress_policy import Reach
from shared.domain.function import AgentToolAudience, AgentToolMode, Environment
from shared.domain.trigger import TriggerKind

MAX_TIMEOUT_MS = 300_000


class Trigger(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What sets a function off."""

    type: TriggerKind
    config: dict[str, Any] = {}
    enabled: bool = True


class Deploy(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a deployment. A null is as good as nothing."""

    name: str
    code: Annotated[str, Meta(min_length=1)]
    runtime: Environment | None = None
    description: Annotated[str, Meta(max_length=10_000)] | None = None
    env_vars: dict[str, str] | None = field(default=None, name="envVars")
    timeout_ms: Annotated[int, Meta(ge=1, le=MAX_TIMEOUT_MS)] | None = field(default=None, name="timeoutMs")
    memory_mb: Annotated[int, Meta(ge=64, le=1024)] | None = field(default=None, name="memoryLimitMb")
    triggers: Annotated[list[Trigger], Meta(min_length=1, max_length=100)] | None = None
    trigger: Trigger | TriggerKind | None = None
    egress: Reach | None = None
    egress_hosts: list[str] | None = field(default=None, name="egressHosts")
    agent_tool: bool | None = None
    agent_tool_description: Annotated[str, Meta(max_length=500)] | None = None
    agent_tool_mode: AgentToolMode | None = None
    agent_tool_exposed_to: AgentToolAudience | None = None


class Deleted(msgspec.Struct, frozen=True):
    """The answer to a deletion, also of what was not there."""

    success: bool = True


class Invalidation(msgspec.Struct, frozen=True):
    """That everybody has been told to forget what was before."""

    success: bool = True
    attempts: int = 1


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where the webhook of a function is reached, and with what it signs, if that was just made: never again."""

    url: str
    secret: str | UnsetType = UNSET


class Deployed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to a deployment; without a trigger of type http there is no `url`, nor `webhook` without one."""

    id: str
    name: str
    url: str | None
    triggers: list[Trigger]
    deployed_at: str | None
    webhook: Webhook | UnsetType = UNSET
    cache_invalidation: Invalidation = Invalidation()


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """What a function's calls have come to; `error_rate` is in percent, durations in milliseconds.

    `…_24h` are those of the last 24 hours.
    """

    total_invocations: int = 0
    error_count: int = 0
    error_rate: float = 0.0
    avg_duration_ms: float = 0.0
    p50_duration_ms: float = 0.0
    p95_duration_ms: float = 0.0
    p99_duration_ms: float = 0.0
    last_invocation: str | None = None
    last_status: int | None = None
    invocations_24h: int = 0
    error_count_24h: int = 0
    error_rate_24h: float = 0.0


class _Agent(msgspec.Struct, frozen=True, kw_only=True):
    agent_tool: bool
    agent_tool_description: str | None
    agent_tool_mode: AgentToolMode
    agent_tool_exposed_to: AgentToolAudience


class Row(_Agent, frozen=True, kw_only=True):
    """A function in a list; `errorRate` is a fraction."""

    id: str
    name: str
    description: str | None
    runtime: str
    triggers: list[Trigger]
    url: str | None
    status: Literal["active", "inactive", "error"]
    deployed_at: str | None = field(name="deployedAt")
    last_invoked: str | None = field(name="lastInvoked")
    last_status: int | None = field(name="lastStatus")
    invocation_count: int = field(name="invocationCount")
    error_rate: float = field(name="errorRate")
    avg_duration: float = field(name="avgDuration")
    slug: str
    metrics: Metrics
    webhook: Webhook | UnsetType = UNSET


class Listed(msgspec.Struct, frozen=True, rename="camel"):
    """Functions of an app, by name."""

    functions: list[Row]
    has_more: bool


class Detail(_Agent, frozen=True, kw_only=True):
    """A function with everything but the values of its variables; its metrics in all the spellings there are."""

    id: str
    name: str
    slug: str
    description: str | None
    code: str
    runtime: str
    triggers: list[Trigger]
    url: str | None
    webhook: Webhook | UnsetType = UNSET
    status: Literal["active", "inactive", "error"]
    timeout_ms: int = field(name="timeoutMs")
    memory_mb: int = field(name="memoryLimitMb")
    egress: str | None
    egress_hosts: list[str] = field(name="egressHosts")
    deployed_at: str | None = field(name="deployedAt")
    last_invoked: str | None = field(name="lastInvoked")
    invocation_count: int = field(name="invocationCount")
    errors: int = field(name="errorCount")
    avg_duration: float = field(name="avgDuration")
    env_keys: list[str] = field(name="envKeys")
    total_invocations: int
    error_count: int
    error_rate: float
    avg_duration_ms: float
    last_invocation: str | None
    metrics: Metrics
