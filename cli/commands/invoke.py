"""`shoal invoke`: calls a function and prints what it returns."""

import json
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cli import outcome
from cli.exits import NOT_YET, REFUSED, UNDONE, Fault
from cli.options import seconds
from cli.remote import HERE, LONG_S, Remote, Target, run


def invoke(
    name: str,
    /,
    *,
    params: Annotated[
        str, Parameter(help="a JSON object, @FILE, or - for standard input", allow_leading_hyphen=True)
    ] = "{}",
    async_: Annotated[bool, Parameter(name="--async", negative="", help="print the task's id and do not wait")] = False,
    wait: Annotated[float | None, Parameter(help="seconds to wait; as long as the server does unless given")] = None,
    idempotency_key: Annotated[str | None, Parameter(help="the same key is the same call, for a day or so")] = None,
    lines: Annotated[bool, Parameter(negative="", help="show what it printed, on stderr")] = False,
    target: Target = HERE,
) -> int:
    """Call a function and print its result.

    Example: shoal invoke tax --params '{"amount": 100}'
    """

    def work(remote: Remote) -> int:
        text = _params(params)
        if idempotency_key == "":
            raise Fault(REFUSED, "--idempotency-key must not be empty")
        if wait is not None:
            seconds(wait, option="--wait")
        waits = not async_ and wait is None
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        body = b'{"params":%b,"async":%b}' % (text, b"false" if waits else b"true")
        path = f"{remote.by_slug(name)}execute/"
        answer = remote.ask("POST", path, body=body, headers=headers, within_s=LONG_S)
        found = answer.json() if answer.body else None
        if not isinstance(found, dict) or "task_id" not in found or "status" not in found:
            remote.check(answer)
            raise Fault(REFUSED, "the server answers with what is no call")
        ended = outcome.read(found)
        if not ended.has_ended and wait is not None and not async_:
            ended = outcome.awaited(remote, ended.task_id, within_s=wait)
        code = outcome.tell(ended, lines=lines, as_json=target.json)
        return 0 if async_ and code == NOT_YET else code

    return run(target, work)


def _params(text: str) -> bytes:
    """Raises Fault for what is no JSON object."""
    try:
        if text == "-":
            raw = sys.stdin.buffer.read()
        elif text.startswith("@"):
            raw = Path(text[1:]).read_bytes()
        else:
            raw = text.encode()
        is_object = isinstance(json.loads(raw), dict)
    except OSError as error:
        raise Fault(UNDONE, f"{text[1:]} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise Fault(REFUSED, f"--params is no JSON object: {error}") from None
    if not is_object:
        raise Fault(REFUSED, "--params is no JSON object but another value")
    return raw.strip()
