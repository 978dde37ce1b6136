"""`shoal ps`: the functions of an app, how often they are called, how fast they are and how often they fail."""

from typing import Annotated, Any

from cyclopts import Parameter

from cli import show
from cli.remote import HERE, Remote, Target, run
from cli.shown import ago

_COLUMNS = ("name", "status", "calls", "day", "per_min", "errors", "p50", "p95", "last", "schedule")
_DAY_MIN = 24 * 60
_FACTS = ("name", "slug", "status", "runtime", "schedule", "url", "metrics")


def ps(
    *,
    all_: Annotated[bool, Parameter(name="--all", negative="", help="the functions of all apps")] = False,
    target: Target = HERE,
) -> int:
    """List functions with their rates and latencies.

    `calls` are all there ever were, `day` those of the last 24 hours, `per min` how many of these
    came in a minute on average (`shoal top` has the rate of now), `errors` how many in a hundred of these failed;
    `p50` and `p95` are milliseconds; `last` is how long ago one ended.

    Example: shoal ps --app shop
    """

    def work(remote: Remote) -> None:
        apps = [str(one["slug"]) for one in remote.pages("/api/apps/")] if all_ else [remote.app]
        found = []
        for app in apps:
            remote.app = app
            found += [{"app": app, **facts(one)} for one in remote.functions()]
        first = ("app",) if all_ else ()
        if target.json:
            show.rows(found, (*first, *_FACTS), as_json=True)
        else:
            show.rows([_row(one) for one in found], (*first, *_COLUMNS), as_json=False)

    return run(target, work)


def facts(one: dict[str, Any]) -> dict[str, Any]:
    """What is told of a function, of its row in a list."""
    crons = [each["config"] for each in one["triggers"] if each["type"] == "cron" and each["enabled"]]
    schedule = crons[0].get("schedule") if crons else None
    return {**{name: one.get(name) for name in _FACTS}, "schedule": schedule}


def _row(one: dict[str, Any]) -> dict[str, Any]:
    counted = one["metrics"]
    return {
        "app": one["app"],
        "name": one["name"],
        "status": one["status"],
        "calls": counted["total_invocations"],
        "day": counted["invocations_24h"],
        "per_min": _short(round(counted["invocations_24h"] / _DAY_MIN, 2)),
        "errors": f"{counted['error_rate_24h']:.3g}%",
        "p50": _short(counted["p50_duration_ms"]),
        "p95": _short(counted["p95_duration_ms"]),
        "last": ago(counted["last_invocation"]),
        "schedule": one["schedule"],
    }


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits
