"""From a function as it is to be, and as it is, to what is sent and what would change."""

import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from cli.exits import NOT_FOUND, REFUSED, UNDONE, Fault
from cli.manifest import Wanted
from cli.remote import Remote, part

_MS = 1000
_STAYS = ("agent_tool", "agent_tool_description", "agent_tool_mode", "agent_tool_exposed_to")
_HTTP = {"type": "http"}


class Plan(NamedTuple):
    """What is done for a function: `changes` are the names of what becomes another, none of them where nothing does."""

    name: str
    is_new: bool
    body: dict[str, Any]
    env: dict[str, str]
    config: dict[str, Any]
    changes: list[str]

    @property
    def action(self) -> str:
        """In a word."""
        return "create" if self.is_new else "change" if self.changes else "same"


def plan(remote: Remote, wanted: Wanted, *, environ: Mapping[str, str] = os.environ) -> Plan:
    """What there is to do. Raises Fault."""
    try:
        found: dict[str, Any] | None = remote.get(remote.function(wanted.name))
    except Fault as fault:
        if fault.code != NOT_FOUND:
            raise
        found = None
    if found is not None and found["name"] != wanted.name:
        found = None  # it has this slug, and another name: what is deployed under the name is another one
    env, config = _env(wanted, environ), wanted.settings.get("config", {})
    body = _body(wanted, found)
    if found is None:
        return Plan(wanted.name, True, {**body, **({"envVars": env} if env else {})}, {}, config, [])
    changes = [name for name, value in body.items() if not _same(name, value, found)]
    changes += [f"env {name}" for name in env]
    if config:
        known = remote.get(f"/api/functions/{part(found['slug'])}/")["config"]
        changes += [f"config.{name}" for name, value in config.items() if known.get(name) != value]
    return Plan(wanted.name, False, body, env, config, changes)


def carry_out(remote: Remote, planned: Plan) -> dict[str, Any]:
    """Deploy it; the server's answer. Variables come before the code that may need them. Raises Fault."""
    if planned.env:
        remote.do("PATCH", f"{remote.function(planned.name)}/env", body={"envVars": planned.env})
    made: dict[str, Any] = remote.do("POST", remote.deployed, body=planned.body)
    if planned.config:
        path = remote.by_slug(planned.name)
        remote.do("PATCH", path, body={"config": {**remote.get(path)["config"], **planned.config}})
    return made


def _body(wanted: Wanted, found: dict[str, Any] | None) -> dict[str, Any]:
    settings, kept = wanted.settings, found if found is not None and not wanted.whole else {}
    body: dict[str, Any] = {"name": wanted.name, "code": wanted.code, "runtime": settings["runtime"]}
    if "description" in settings:
        body["description"] = settings["description"]
    said = {
        "timeoutMs": _timeout_ms(settings["timeout_s"]) if "timeout_s" in settings else None,
        "memoryLimitMb": settings.get("memory_mb"),
        "egress": settings.get("egress"),
        "egressHosts": settings.get("egress_hosts"),
    }
    for name, value in said.items():
        if (now := kept.get(name) if value is None else value) not in (None, []):
            body[name] = now
    body["triggers"] = _triggers(settings, kept.get("triggers"))
    return {**body, **{name: found[name] for name in _STAYS if found is not None}}


def _timeout_ms(timeout_s: float) -> int:
    """Raises Fault for what is no number to count with; the server says how long it may be."""
    if not math.isfinite(timeout_s * _MS):
        raise Fault(REFUSED, "the timeout must be a number of seconds")
    return round(timeout_s * _MS)


def _triggers(settings: Mapping[str, Any], kept: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    """Those that are named; a schedule, and who may call over HTTP, in the place of what there is of their kind."""
    triggers = [{**_HTTP}] if kept is None else list(kept)
    if "triggers" in settings:
        triggers = [{"type": one} if isinstance(one, str) else one for one in settings["triggers"]]
    if "auth" in settings:
        triggers = _put(triggers, {**_HTTP, "config": {**_config_of(triggers, "http"), "auth": settings["auth"]}})
    if "schedule" in settings:
        config = {"schedule": settings["schedule"]}
        if "timezone" in settings:
            config["timezone"] = settings["timezone"]
        triggers = _put(triggers, {"type": "cron", "config": config})
    return triggers


def _put(triggers: list[dict[str, Any]], one: dict[str, Any]) -> list[dict[str, Any]]:
    return [*(each for each in triggers if each.get("type") != one["type"]), one]


def _config_of(triggers: list[dict[str, Any]], type_: str) -> dict[str, Any]:
    return next((each.get("config", {}) for each in triggers if each.get("type") == type_), {})


def _env(wanted: Wanted, environ: Mapping[str, str]) -> dict[str, str]:
    """Values as they are written down, and secrets, of the environment of who deploys. Raises Fault."""
    secrets = [str(name) for name in wanted.settings.get("secrets", [])]
    if missing := [name for name in secrets if name not in environ]:
        raise Fault(UNDONE, f"{wanted.name} needs {', '.join(missing)}, of the environment of who deploys")
    values = {name: str(value) for name, value in wanted.settings.get("env", {}).items()}
    return {**values, **{name: environ[name] for name in secrets}}


def _same(name: str, value: Any, found: Mapping[str, Any]) -> bool:
    if name != "triggers":
        return bool(found.get(name) == value)
    known = {each["type"]: each for each in found["triggers"]}
    return len(known) == len(value) and all(_fits(one, known.get(one.get("type"))) for one in value)


def _fits(one: Mapping[str, Any], known: Mapping[str, Any] | None) -> bool:
    """Whether what is there is what is wanted: defaults are written down, secrets are not shown."""
    if known is None or known["enabled"] != one.get("enabled", True):
        return False
    config = {"auth": "required"} if one["type"] == "http" else {}
    return bool({**known["config"], **config, **one.get("config", {})} == known["config"])
