"""`shoal schedule`: functions that run by themselves."""

import json
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from cli import asking, show
from cli.exits import NOT_FOUND, Fault
from cli.options import json_object
from cli.remote import HERE, Remote, Target, part, run

schedule = App(name="schedule", help="Functions that run by themselves: when, and whether they did.")

_COLUMNS = ("function", "app", "enabled", "cron_expression", "timezone", "next")
_SHOWN = ("function", "enabled", "cron_expression", "timezone", "missed_runs", "overlap")
_TICKS = ("due", "state", "late_by_s", "count", "reason", "task_id")
Json = Annotated[str | None, Parameter(help="a JSON object: the params of each run")]


@schedule.command(name="list")
def list_(
    *, all_: Annotated[bool, Parameter(name="--all", negative="", help="of all apps")] = False, target: Target = HERE
) -> int:
    """List the functions that have a schedule, with the next moment of each."""

    def work(remote: Remote) -> None:
        rows = []
        for one in remote.pages("/api/functions/" if all_ else f"/api/apps/{part(remote.app)}/functions/"):
            found = remote.get(f"/api/functions/{part(one['slug'])}/schedule/")
            if found["cron_expression"]:
                following = found["next_runs"][0] if found["next_runs"] else None
                rows.append({"function": one["slug"], "app": one["app_name"], "next": following, **found})
        show.rows(rows, _COLUMNS, as_json=target.json)

    return run(target, work)


@schedule.command(name="show")
def show_(name: str, /, *, target: Target = HERE) -> int:
    """Show a schedule with its last ticks and what became of them.

    Example: shoal schedule show daily-report
    """

    def work(remote: Remote) -> None:
        found = remote.get(f"{remote.by_slug(name)}schedule/")
        if target.json:
            print(json.dumps({"function": name, **found}))
            return
        show.one({"function": name, **found}, _SHOWN, as_json=False)
        for moment in found["next_runs"]:
            print(f"next             {moment}")
        if found["last_ticks"]:
            print()
            show.rows(found["last_ticks"], _TICKS, as_json=False)

    return run(target, work)


@schedule.command(name="set")
def set_(
    name: str,
    cron: str,
    /,
    *,
    timezone: Annotated[str | None, Parameter(help="whose clock it means (UTC)")] = None,
    params: Json = None,
    missed_runs: Annotated[Literal["once", "skip"] | None, Parameter(help="what becomes of missed runs")] = None,
    overlap: Annotated[Literal["allow", "skip"] | None, Parameter(help="when the run before has not ended")] = None,
    target: Target = HERE,
) -> int:
    """Let a function run by itself; what is not said stays.

    Example: shoal schedule set daily-report "0 9 * * 1-5" --timezone Europe/Berlin
    """

    def work(remote: Remote) -> None:
        said = {"timezone": timezone, "missed_runs": missed_runs, "overlap": overlap}
        body: dict[str, Any] = {f"schedule_{key}": value for key, value in said.items() if value is not None}
        if params is not None:
            body["schedule_params"] = json_object(params, option="--params")
        _change(remote, name, {**body, "cron_expression": cron, "schedule_enabled": True}, target)

    return run(target, work)


@schedule.command
def pause(name: str, /, *, target: Target = HERE) -> int:
    """Let a function not run by itself for now. Nothing is made up for later."""
    return run(target, lambda remote: _change_known(remote, name, {"schedule_enabled": False}, target))


@schedule.command
def resume(name: str, /, *, target: Target = HERE) -> int:
    """Let a function run by itself again."""
    return run(target, lambda remote: _change_known(remote, name, {"schedule_enabled": True}, target))


@schedule.command
def remove(name: str, /, *, target: Target = HERE) -> int:
    """Take a function's schedule away."""

    def work(remote: Remote) -> None:
        asking.tell_place(remote.place, as_json=target.json)
        _change_known(remote, name, {"schedule_enabled": False, "cron_expression": ""}, target)

    return run(target, work)


@schedule.command(name="next")
def next_(name: str, /, *, target: Target = HERE) -> int:
    """Print the next moments at which a function runs by itself."""

    def work(remote: Remote) -> None:
        found = remote.get(f"{remote.by_slug(name)}schedule/")["next_runs"]
        show.rows([{"due": moment} for moment in found], ("due",), as_json=target.json)

    return run(target, work)


def _change_known(remote: Remote, name: str, body: dict[str, Any], target: Target) -> None:
    """Change a schedule that is there. Raises Fault."""
    if not remote.get(f"{remote.by_slug(name)}schedule/")["cron_expression"]:
        raise Fault(NOT_FOUND, f"{name} has no schedule", "`shoal schedule set` makes one")
    _change(remote, name, body, target)


def _change(remote: Remote, name: str, body: dict[str, Any], target: Target) -> None:
    path = remote.by_slug(name)
    remote.do("PATCH", path, body=body)
    found = remote.get(f"{path}schedule/")
    show.one({"function": name, **found}, (*_SHOWN, *(["next_runs"] if target.json else [])), as_json=target.json)
