"""Between functions and their bodies. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from services.api.core import triggers
from services.api.core.deployments import Deployed, Deployment, Shown
from services.api.core.metrics import Metrics
from services.api.dialects.apps.translate import webhooks
from services.api.dialects.apps.translate.metrics import fails_often, metrics
from services.api.dialects.apps.translate.stamps import maybe
from services.api.dialects.apps.wire import functions as wire
from shared.domain.app import App
from shared.domain.function import DEPLOYED_FOR, Function
from shared.domain.problem import Problem
from shared.domain.trigger import HTTP_BY_DEFAULT, Trigger

_MS = 1000
# What the core calls the settings that this dialect has by other names, and what its sentences say instead.
_WORDS = {
    "config.timeout": ("timeoutMs", "timeoutMs / 1000"),
    "config.memory_mb": ("memoryLimitMb", "memoryLimitMb"),
    "config.egress_hosts": ("egressHosts", "egressHosts"),
    "config.egress": ("egress", "egress"),
}


class At(NamedTuple):
    """Where functions and webhooks are reached, and what signs the URLs of those that have one, by their ids."""

    base: str
    webhook_base: str
    signatures: Mapping[int, str]


def deployment(body: wire.Deploy) -> Deployment:
    """The function that a body describes."""
    return Deployment(
        name=body.name,
        code=body.code,
        environment=body.runtime or DEPLOYED_FOR,
        description=body.description,
        env=body.env_vars,
        triggers=_triggers(body),
        config=_config(body),
        agent_tool=bool(body.agent_tool),
        agent_tool_description=body.agent_tool_description,
        agent_tool_mode=body.agent_tool_mode or "read_only",
        agent_tool_exposed_to=body.agent_tool_exposed_to or "developer_only",
    )


def in_our_words(problem: Problem) -> Problem:
    """The core's refusal of a deployment, with the names that the body has."""
    message, fields = problem.message, dict(problem.fields)
    for name, (field, said) in _WORDS.items():
        message = message.replace(name, said)
        fields = {field if at == name else at: text.replace(name, said) for at, text in fields.items()}
    return Problem(problem.code, message, fields, retry_after_s=problem.retry_after_s)


def deployed(made: Deployed, at: At) -> wire.Deployed:
    """The answer to a deployment."""
    app, function, generated = made
    webhook = _webhook(app, function, at)
    if webhook is not UNSET:
        webhook = msgspec.structs.replace(webhook, secret=generated or UNSET)
    return wire.Deployed(
        id=str(function.id),
        name=called(function),
        url=url(app, function, base=at.base),
        triggers=_shown(function),
        deployed_at=maybe(function.deployed_at),
        webhook=webhook,
    )


def listed(
    app: App, functions: Sequence[Function], counted: Mapping[int, Metrics], at: At, *, has_more: bool
) -> wire.Listed:
    """Functions of an app, with the metrics of each."""
    return wire.Listed([_row(app, function, counted[function.id], at) for function in functions], has_more)


def detail(shown: Shown, found: Metrics, at: At) -> wire.Detail:
    """A function with everything."""
    function, counted = shown.function, metrics(found)
    return wire.Detail(
        **_common(shown.app, function, found, at),
        slug=function.slug,
        code=shown.source,
        timeout_ms=round(shown.limits.timeout_s * _MS),
        memory_mb=shown.limits.memory_mb,
        egress=function.config.get("egress"),
        egress_hosts=function.config.get("egress_hosts", []),
        last_invoked=counted.last_invocation,
        invocation_count=counted.total_invocations,
        errors=counted.error_count,
        avg_duration=counted.avg_duration_ms,
        env_keys=sorted(function.env),
        total_invocations=counted.total_invocations,
        error_count=counted.error_count,
        error_rate=counted.error_rate,
        avg_duration_ms=counted.avg_duration_ms,
        last_invocation=counted.last_invocation,
        metrics=counted,
    )


def called(function: Function) -> str:
    """The name by which a function is asked for."""
    return function.deployed_as or function.name


def url(app: App, function: Function, *, base: str) -> str | None:
    """Where a function is called, if it is by HTTP."""
    if function.trigger("http") is None:
        return None
    return f"{base}/v1/{app.public_id}/fn/{quote(called(function), safe='')}"


def _row(app: App, function: Function, found: Metrics, at: At) -> wire.Row:
    counted = metrics(found)
    return wire.Row(
        **_common(app, function, found, at),
        last_invoked=counted.last_invocation,
        last_status=counted.last_status,
        invocation_count=counted.total_invocations,
        error_rate=counted.error_rate / 100,
        avg_duration=counted.avg_duration_ms,
        slug=function.slug,
        metrics=counted,
    )


def _common(app: App, function: Function, found: Metrics, at: At) -> dict[str, Any]:
    status: Literal["active", "inactive", "error"] = "active" if function.is_active else "inactive"
    if function.is_active and fails_often(found):
        status = "error"
    return {
        "id": str(function.id),
        "name": called(function),
        "description": function.description or None,
        "runtime": function.pool,
        "triggers": _shown(function),
        "url": url(app, function, base=at.base),
        "webhook": _webhook(app, function, at),
        "status": status,
        "deployed_at": maybe(function.deployed_at),
        "agent_tool": function.agent_tool,
        "agent_tool_description": function.agent_tool_description,
        "agent_tool_mode": function.agent_tool_mode,
        "agent_tool_exposed_to": function.agent_tool_exposed_to,
    }


def _webhook(app: App, function: Function, at: At) -> wire.Webhook | UnsetType:
    signature = at.signatures.get(function.id)
    if signature is None:
        return UNSET
    return wire.Webhook(url=webhooks.url(app, function, base=at.webhook_base, signature=signature))


def _shown(function: Function) -> list[wire.Trigger]:
    return [
        wire.Trigger(type=trigger.type, config=trigger.config, enabled=trigger.enabled)
        for trigger in triggers.shown(function)
    ]


def _triggers(body: wire.Deploy) -> tuple[Trigger, ...]:
    """What is asked for in the one way or the other; `triggers` wins."""
    if body.triggers is not None:
        asked = body.triggers
    elif body.trigger is None:
        return (HTTP_BY_DEFAULT,)
    else:
        asked = [wire.Trigger(type=body.trigger) if isinstance(body.trigger, str) else body.trigger]
    return tuple(Trigger(one.type, one.config, one.enabled) for one in asked)


def _config(body: wire.Deploy) -> dict[str, Any]:
    asked = {
        "timeout": None if body.timeout_ms is None else body.timeout_ms / _MS,
        "memory_mb": body.memory_mb,
        "egress": body.egress,
        "egress_hosts": body.egress_hosts,
    }
    return {key: value for key, value in asked.items() if value is not None}
