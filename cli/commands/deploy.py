"""`shoal deploy`: makes functions of files, or what they are already into what the files say."""

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from cli import contexts, deployment, manifest, show
from cli.exits import DONE, NOT_FOUND, REFUSED, UNDONE, Fault, plain, tell
from cli.options import json_object
from cli.remote import HERE, Remote, Target, run

_COLUMNS = ("name", "action", "changes", "url", "error")
Said = Annotated[list[str] | None, Parameter(negative="", help="NAME=VALUE, an environment variable; repeat it")]


def deploy(  # noqa: PLR0913 - a setting each
    path: Path,
    /,
    *,
    name: Annotated[str | None, Parameter(help="the function's name: the file's unless given")] = None,
    description: Annotated[str | None, Parameter(help="what it is for")] = None,
    env: Said = None,
    secret: Annotated[list[str] | None, Parameter(negative="", help="a variable that your environment has")] = None,
    timeout: Annotated[float | None, Parameter(help="seconds that a call may take")] = None,
    memory: Annotated[int | None, Parameter(help="MiB that a call may have")] = None,
    retries: Annotated[int | None, Parameter(help="tries that may follow a failed one")] = None,
    schedule: Annotated[str | None, Parameter(help="a cron expression: it runs by itself")] = None,
    timezone: Annotated[str | None, Parameter(help="whose clock --schedule means (UTC)")] = None,
    auth: Annotated[Literal["required", "optional", "none"] | None, Parameter(help="of who calls its URL")] = None,
    trigger: Annotated[
        list[str] | None, Parameter(negative="", help="a type: http, cron, webhook, …; repeat it")
    ] = None,
    config: Annotated[str, Parameter(help="a JSON object of further settings, merged into those there are")] = "{}",
    create_app: Annotated[bool, Parameter(negative="", help="make the app where there is none")] = False,
    dry_run: Annotated[bool, Parameter(negative="", help="only say what would change")] = False,
    target: Target = HERE,
) -> int:
    """Deploy a Python, JavaScript or TypeScript file, or all functions of a folder.

    What is not said of a file stays as it is on the server. A folder's shoal.toml says everything of its functions:
    a table [functions.NAME] each, with file, timeout_s, memory_mb, schedule, auth, triggers, env, secrets, config.

    Example: shoal deploy tax.py --timeout 10 --env RATE=0.1
    """

    def work(remote: Remote) -> int:
        said: dict[str, Any] = {
            "description": description, "timeout_s": timeout, "memory_mb": memory, "schedule": schedule,
            "timezone": timezone, "auth": auth, "triggers": trigger, "secrets": secret,
        }  # fmt: skip
        settings = {key: value for key, value in said.items() if value is not None}
        if env:
            settings["env"] = _pairs(env)
        more = json_object(config, option="--config") | ({} if retries is None else {"max_retries": retries})
        if more:
            settings["config"] = more
        if name == "":
            raise Fault(REFUSED, "--name must not be empty")
        if path.is_dir():
            if settings or name:
                raise Fault(REFUSED, "settings on the command line are for one file", f"a folder has {manifest.FILE}")
            found = manifest.of_folder(path)
        else:
            found = manifest.Manifest([manifest.of_file(path, name=name or "", settings=settings)])
        remote.app = target.app or found.app or remote.app
        _check_app(remote, create=create_app)
        rows, code = _all(remote, found.functions, dry_run=dry_run)
        _told(rows, alone=not path.is_dir(), dry_run=dry_run, as_json=target.json)
        return code

    return run(target, work)


def _all(remote: Remote, wanted: list[manifest.Wanted], *, dry_run: bool) -> tuple[list[dict[str, Any]], int]:
    """What became of each, and the exit code: of the first that could not be deployed. The others are."""
    rows, code = [], DONE
    with _progress(len(wanted)) as advance:
        for one in wanted:
            row: dict[str, Any] = {**dict.fromkeys(_COLUMNS), "name": one.name}
            try:
                planned = deployment.plan(remote, one)
                row |= {"action": planned.action, "changes": planned.changes}
                if planned.action != "same" and not dry_run:
                    row["url"] = deployment.carry_out(remote, planned)["url"]
                elif not planned.is_new:
                    row["url"] = remote.get(remote.function(one.name))["url"]
            except Fault as fault:
                row |= {"action": "failed", "error": str(fault)}
                code = code or fault.code
            rows.append(row)
            advance()
    return rows, code


def _told(rows: list[dict[str, Any]], *, alone: bool, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows[0] if alone else rows))
        return
    done = {"create": "created", "change": "changed", "same": "unchanged", "failed": "failed"}
    would = {"create": "would be created", "change": "would change", "same": "is the same", "failed": "failed"}
    for row in rows:
        if row["error"]:
            tell(Fault(UNDONE, f"{row['name']}: {row['error']}"))
            continue
        what = (would if dry_run else done)[row["action"]]
        changes = f" ({', '.join(row['changes'])})" if row["changes"] else ""
        print(plain(f"{row['name']} {what}{changes}{' ' + row['url'] if row['url'] else ''}"))


def _check_app(remote: Remote, *, create: bool) -> None:
    """Raises Fault where there is no such app, and none is to be made."""
    try:
        remote.get(remote.deployed, limit=1)
    except Fault as fault:
        if fault.code != NOT_FOUND or create or remote.app == contexts.APP:
            if fault.code != NOT_FOUND:
                raise
            return  # the first deployment makes it
        raise Fault(NOT_FOUND, f"there is no app '{remote.app}'", "--create-app makes it") from None


def _progress(count: int) -> AbstractContextManager[Callable[[], None]]:
    """A bar on stderr, where there is somebody to look and something to wait for."""
    if count == 1 or not sys.stderr.isatty():
        return nullcontext(lambda: None)
    return show.bar("deploying", count)


def _pairs(texts: list[str]) -> dict[str, str]:
    if wrong := [text for text in texts if "=" not in text]:
        raise Fault(REFUSED, f"--env must be like NAME=VALUE, got '{wrong[0]}'")
    return {name: value for name, _, value in (text.partition("=") for text in texts)}
