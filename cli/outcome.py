"""How a call has ended, as it is told: the result on stdout, what went wrong on stderr."""

import json
import sys
import time
from typing import Any, NamedTuple

from cli.exits import DONE, FUNCTION_FAILED, NOT_YET, plain
from cli.remote import Remote, part

SUCCESS = "SUCCESS"
FINAL = (SUCCESS, "FAILURE", "CANCELLED", "EXPIRED")
_FIRST_S, _MOST_S = 0.05, 1.0


class Ended(NamedTuple):
    """What is known of a call. `result` and the printed lines are those of a success, `error` that of a failure."""

    task_id: str
    status: str
    result: Any = None
    error: str | None = None
    stdout: str = ""
    stderr: str = ""
    logs: tuple[dict[str, Any], ...] = ()
    traceback: str | None = None
    date_done: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether that is all there will be."""
        return self.status in FINAL

    @property
    def code(self) -> int:
        """The exit code."""
        if not self.has_ended:
            return NOT_YET
        return DONE if self.status == SUCCESS else FUNCTION_FAILED


def read(found: dict[str, Any]) -> Ended:
    """Of an answer that has a task: of a call, of a result by task or by number.

    Only by number the result is the function's own, and what it printed beside it; else the two are in one object. What
    a function returns may look like either, so it is never asked.
    """
    is_bare = "task_result" in found
    found = found["task_result"] if is_bare else found
    result, failed = found.get("result"), found["status"] != SUCCESS
    output: dict[str, Any] = found if is_bare or not isinstance(result, dict) else result
    return Ended(
        task_id=found["task_id"],
        status=found["status"],
        result=None if failed else output.get("result"),
        error=_text(found.get("error") or result) if failed else None,
        stdout=output.get("stdout") or "",
        stderr=output.get("stderr") or "",
        logs=tuple(output.get("logs") or ()),
        traceback=found.get("traceback"),
        date_done=found.get("date_done"),
    )


def asked(remote: Remote, task: str) -> Ended:
    """What is known of a task, or of an invocation by its number. Raises Fault."""
    return read(remote.get(f"/api/invocations/{task}/result/" if is_number(task) else f"/api/result/{part(task)}/"))


def is_number(task: str) -> bool:
    """Whether that names an invocation by its number, and not a task."""
    return task.isascii() and task.isdecimal()


def awaited(remote: Remote, task: str, *, within_s: float) -> Ended:
    """The same when it has ended, or when the time is over. Raises Fault."""
    until, pause_s = time.monotonic() + within_s, _FIRST_S
    while True:
        found = asked(remote, task)
        left = until - time.monotonic()
        if found.has_ended or left <= 0:
            return found
        time.sleep(min(pause_s, left))
        pause_s = min(pause_s * 1.5, _MOST_S)


def tell(ended: Ended, *, lines: bool, as_json: bool) -> int:
    """The result for people or for programs; the exit code."""
    if as_json:
        print(json.dumps(ended._asdict()))
        return ended.code
    if lines:
        _tell_lines(ended)
    if ended.status == SUCCESS:
        print(plain(ended.result) if isinstance(ended.result, str) else json.dumps(ended.result, indent=2))
    elif not ended.has_ended:
        print(plain(ended.task_id))
        print(f"shoal: {ended.status}: `shoal result {ended.task_id} --wait 60` waits for it", file=sys.stderr)
    else:
        error = " ".join((ended.error or ended.status).split())
        print(f"shoal: {ended.status}: {plain(error)} (task {ended.task_id})", file=sys.stderr)
    return ended.code


def _tell_lines(ended: Ended) -> None:
    for text in (ended.stdout, ended.stderr):
        if text:
            print(plain(text).rstrip("\n"), file=sys.stderr)
    for line in ended.logs:
        print(plain(f"{line['level']}: {line['message']}"), file=sys.stderr)
    if ended.traceback:
        print(plain(ended.traceback).rstrip("\n"), file=sys.stderr)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
