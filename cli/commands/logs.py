"""`shoal logs`: the calls of a function and the lines that it wrote, of before or as they are made."""

import json
import sys
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from cli import events
from cli.exits import plain
from cli.remote import HERE, Remote, Target, run
from cli.shown import clock, moment, since
from cli.told_lines import ToldLines, is_worth

_CALLS, _BEFORE, _MOST = 100, 10, 1000  # shown unless it is said; before what is followed; since a moment

Level = Literal["all", "debug", "info", "warning", "error"]


def logs(
    name: str,
    /,
    *,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), negative="", help="go on, until Ctrl-C")] = False,
    since_: Annotated[str, Parameter(name="--since", help="from then on: 30s, 10m, 2h, 1d, or a date and time")] = "",
    level: Annotated[Level, Parameter(help="the least level of lines; error: and only calls that failed")] = "all",
    limit: Annotated[int | None, Parameter(help="calls at most, 1 to 1000 (100; 10 before what is followed)")] = None,
    lines: Annotated[bool, Parameter(negative="--no-lines", help="the lines that it wrote, too")] = True,
    target: Target = HERE,
) -> int:
    """Show the calls of a function, the oldest first, and what it printed and logged.

    With -f it goes on with what comes, each line as it is made, and after a break from where it was; what is missing
    is named.

    Example: shoal logs tax -f --since 10m
    """

    def work(remote: Remote) -> None:
        usual = _MOST if since_ and follow else _BEFORE if follow else _CALLS
        query: dict[str, Any] = {"limit": usual if limit is None else limit, "level": level}
        if since_:
            query["since"] = since(since_)
        path, told = f"{remote.function(name)}/logs", _Told(as_json=target.json, level=level if lines else None)
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
    """Writes what comes, each line once. Without a `level` no lines."""

    def __init__(self, *, as_json: bool, level: Level | None) -> None:
        self._as_json = as_json
        self._level = level
        self._lines = ToldLines()

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
            if event.kind != "line" or self._level:
                print(json.dumps({"event": event.kind, **data}))
        elif event.kind == "line":
            if self._lines.line(data):
                self._write([data], stamp="at")
        elif event.kind == "log":
            self._entry(data)
        elif event.kind == "gap":
            self._gap(data)
        sys.stdout.flush()

    def _gap(self, gap: dict[str, Any]) -> None:
        self._lines.gap(gap)
        if self._level is None and "from" in gap:
            return  # nobody wants the lines
        which = ""
        if "from" in gap:
            until = "" if gap["to"] == gap["from"] else f" to {gap['to']}" if gap["to"] else " and later ones"
            which = f"line {gap['from']}{until} of {gap['task_id'] or 'calls'}: "
        sys.stdout.flush()
        print(f"shoal: gap: {which}{plain(gap.get('message', ''))}", file=sys.stderr)

    def _entry(self, entry: dict[str, Any]) -> None:
        self._write(self._lines.ended(entry), stamp="timestamp")
        self._warn(entry)
        at = clock(moment(entry["timestamp"]).timestamp() * 1000)
        error = f" {plain(entry['error'])}" if entry["error"] else ""
        what = f"{entry['method']} {entry['path']}" if entry["trigger"] == "http" else entry["trigger"]
        print(f"{at} {entry['status_code']} {plain(what)} {entry['duration_ms']:.1f} ms {entry['task_id']}{error}")

    def _warn(self, entry: dict[str, Any]) -> None:
        """Name on stderr what is not kept of the lines of a call, where somebody wants its lines."""
        for warning in entry.get("warnings", ()) if self._level else ():
            sys.stdout.flush()
            print(f"shoal: gap: lines of {entry['task_id']}: {plain(' '.join(warning.split()))}", file=sys.stderr)

    def _write(self, lines: list[dict[str, Any]], *, stamp: str) -> None:
        for line in lines if self._level else ():
            if is_worth(line, self._level or "all"):
                print(f"{clock(line[stamp])} {line['level']:<5} {plain(line['message'])}")
