"""`shoal logs`: the calls of a function and the lines that it wrote, of before or as they are made."""

import json
import sys
from collections import OrderedDict
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from cli import events
from cli.exits import plain
from cli.remote import HERE, Remote, Target, run
from cli.shown import clock, moment, since

_TASKS = 10_000  # whose lines may have come before their call has ended
_STILL = 10  # calls shown before what is followed


def logs(
    name: str,
    /,
    *,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), negative="", help="go on, until Ctrl-C")] = False,
    since_: Annotated[str, Parameter(name="--since", help="from then on: 30s, 10m, 2h, 1d, or a date and time")] = "",
    level: Annotated[Literal["all", "error"], Parameter(help="error: only calls that failed")] = "all",
    limit: Annotated[int | None, Parameter(help="calls at most, 1 to 1000 (100; 10 before what is followed)")] = None,
    lines: Annotated[bool, Parameter(negative="--no-lines", help="the lines that it wrote, too")] = True,
    target: Target = HERE,
) -> int:
    """Show the calls of a function, the oldest first, and what it printed and logged.

    With -f it goes on with what comes, and after a break from where it was; what may be missing is named.

    Example: shoal logs tax -f --since 10m
    """

    def work(remote: Remote) -> None:
        at = since(since_) if since_ else ""
        query: dict[str, Any] = {"limit": limit or (_STILL if follow else 100), "level": level}
        if at:
            query["since"] = at
        path, told = f"{remote.function(name)}/logs", _Told(as_json=target.json, lines=lines)
        if not follow:
            told.all(remote.get(path, **query))
            return
        for event in _followed(remote, path, query, level=level):
            told.event(event)

    return run(target, work)


def _followed(remote: Remote, path: str, query: dict[str, Any], *, level: str) -> Iterator[events.Event]:
    """What there was, then what comes. The stream is opened first, so that nothing is between the two."""
    before: set[int] | None = None
    for event in events.following(remote, f"{path}/stream", lines="true", level=level):
        if event.kind == events.OPENED:
            if before is None:
                found = remote.get(path, **query)["logs"]
                before = {entry["id"] for entry in found}
                yield from (events.Event("log", json.dumps(entry)) for entry in reversed(found))
        elif event.kind != "log" or json.loads(event.data)["id"] not in (before or ()):
            yield event


class _Told:
    """Writes what comes, each call once with its lines."""

    def __init__(self, *, as_json: bool, lines: bool) -> None:
        self._as_json = as_json
        self._lines = lines
        self._begun: OrderedDict[str, None] = OrderedDict()  # tasks whose lines came one by one

    def all(self, found: dict[str, Any]) -> None:
        """A part of the log, as a whole."""
        if self._as_json:
            print(json.dumps(found["logs"]))
            return
        for entry in reversed(found["logs"]):
            self._entry(entry)
        if found["hasMore"]:
            print("shoal: there is more before that: --limit and --since say how much is shown", file=sys.stderr)

    def event(self, event: events.Event) -> None:
        """One that a server sent; of a kind that is not known here, nothing."""
        data = json.loads(event.data)
        if self._as_json:
            if event.kind != "line" or self._lines:
                print(json.dumps({"event": event.kind, **data}), flush=True)
        elif event.kind == "line":
            self._line(data)
        elif event.kind == "log":
            self._entry(data)
        elif event.kind == "gap":
            sys.stdout.flush()
            print(f"shoal: gap: {plain(data.get('message', ''))}", file=sys.stderr)
        sys.stdout.flush()

    def _line(self, line: dict[str, Any]) -> None:
        if not self._lines:
            return
        self._begun[line["task_id"]] = None
        if len(self._begun) > _TASKS:
            self._begun.popitem(last=False)
        print(f"{clock(line['at'])} {line['level']:<5} {plain(line['message'])}")

    def _entry(self, entry: dict[str, Any]) -> None:
        shown = self._begun.pop(entry["task_id"], self) is None
        if self._lines and not shown:
            for line in entry["consoleLogs"]:
                print(f"{clock(line['timestamp'])} {line['level']:<5} {plain(line['message'])}")
        at = clock(moment(entry["timestamp"]).timestamp() * 1000)
        error = f" {plain(entry['error'])}" if entry["error"] else ""
        what = f"{entry['method']} {entry['path']}" if entry["trigger"] == "http" else entry["trigger"]
        print(f"{at} {entry['status_code']} {plain(what)} {entry['duration_ms']:.1f} ms {entry['task_id']}{error}")
