"""What a call is answered with: the handler's own answer line by line, or the runtime's words for how it failed.

The runtime speaks plain objects, `{"error": …}`; what the edge refuses is said by `problems`.
"""

import re
from typing import Any, NamedTuple

import msgspec

from shared.domain.outcome import Outcome
from shared.domain.request import BODILESS, Response
from shared.exchange import Line
from shared.request_head import HOP_BY_HOP, named_in

_JSON: Line = (b"content-type", b"application/json")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# The server and the platform write these themselves.
_NOT_THEIRS = HOP_BY_HOP | {"date", "content-length", "x-invocation-id"}
_RESET = 205
_LEAST, _MOST = 200, 599
_MISSING, _GONE, _CROWDED, _BAD_ANSWER, _AWAY, _TIMEOUT = 404, 410, 429, 502, 503, 504
_AGAIN: dict[int, Line] = {_CROWDED: (b"retry-after", b"5"), _AWAY: (b"retry-after", b"2")}


class Answer(NamedTuple):
    """What is sent. The body of an answer to HEAD is left out by the server."""

    status: int
    lines: list[Line]
    body: bytes


class Told(NamedTuple):
    """What an answer is made for: the call's time limit and how long it took, and whether the caller is the owner."""

    timeout_s: float
    took_s: float
    is_owner: bool
    is_head: bool


def answer_of(outcome: Outcome, told: Told) -> Answer:
    """The answer to a call that ended."""
    if outcome.response is not None:
        return _own(outcome.response, told)
    if outcome.status == "SUCCESS":
        return whole(200, [_JSON], bytes(outcome.result))
    status = outcome.status_code
    if outcome.status == "EXPIRED":
        return plain(status, error="expired", message=outcome.error)
    if status == _MISSING:  # it was there when the call was accepted
        return missing()
    if status == _TIMEOUT:
        return timed_out(told)
    error: dict[str, Any] = {"error": outcome.error or outcome.message}
    if told.is_owner:
        error["stack"] = outcome.traceback
    return plain(status, **error)


def timed_out(told: Told) -> Answer:
    """It ran for longer than it may."""
    message = f"Function execution timeout ({told.timeout_s * 1000:.0f}ms)"
    return plain(_TIMEOUT, error="function_timeout", message=message, duration_ms=_ms(told))


def unanswered(told: Told, task_id: str) -> Answer:
    """Its caller has waited for as long as it may run and queue, and it has not ended: nobody knows that it ran."""
    message = "The call has not ended in time; it goes on, and the function's log will say how it ends"
    return plain(_TIMEOUT, error="no_answer", message=message, duration_ms=_ms(told), invocation_id=task_id)


def away(task_id: str) -> Answer:
    """The wait was given up: this process stops."""
    message = "The platform is restarting; the call goes on, and its answer is lost"
    return plain(_AWAY, error=message, invocation_id=task_id)


def not_kept(task_id: str) -> Answer:
    """It has ended, and its answer was for another request, or was lost: too little is kept of it to be given again."""
    message = "The call was made, but its answer was not kept and cannot be given again; the call is not made twice"
    return plain(_GONE, error="answer_not_kept", message=message, invocation_id=task_id)


def crowded() -> Answer:
    """Too many callers wait already."""
    return plain(_CROWDED, error="Concurrency limit reached")


def missing() -> Answer:
    """There is nothing to call."""
    return plain(404, error="Function not found")


def plain(status: int, **said: object) -> Answer:
    """An object of the runtime's."""
    again = _AGAIN.get(status)
    return whole(status, [_JSON, *([again] if again else [])], msgspec.json.encode(said))


def whole(status: int, lines: list[Line], body: bytes) -> Answer:
    """An answer with its length."""
    return Answer(status, [*lines, (b"content-length", b"%d" % len(body))], body)


def _own(response: Response, told: Told) -> Answer:
    fault = fault_of(response)
    if fault:
        return plain(_BAD_ANSWER, error=fault)
    if response.status in BODILESS:
        return _bodiless(response)
    length = response.header("content-length") if told.is_head and not response.body else ""
    if not (length.isascii() and length.isdigit()):  # of a body that was never made, its handler may know
        length = str(len(response.body))
    return Answer(response.status, [*lines_of(response), (b"content-length", length.encode())], response.body)


def _bodiless(response: Response) -> Answer:
    length = [(b"content-length", b"0")] if response.status == _RESET else []
    return Answer(response.status, [*lines_of(response), *length], b"")


def instead(head: Response | None, *, is_head: bool) -> Answer | None:
    """What is sent in place of an answer in parts whose parts nobody is to see; None where they are to be sent."""
    if head is None:
        return plain(_BAD_ANSWER, error="The handler's answer has no head")
    fault = fault_of(head)
    if fault:
        return plain(_BAD_ANSWER, error=fault)
    if head.status in BODILESS:
        return _bodiless(head)
    return Answer(head.status, lines_of(head), b"") if is_head else None


def _ms(told: Told) -> int:
    return round(told.took_s * 1000)


def fault_of(response: Response) -> str:
    """Why an answer cannot be sent as it stands; empty where it can."""
    if not _LEAST <= response.status <= _MOST:
        return f"The handler answered with the status {response.status}, which is no final one"
    for name, value in response.headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            return f"The handler answered with a header that cannot be sent: {name[:100]!r}"
    return ""


def lines_of(response: Response) -> list[Line]:
    """The header lines of an answer that was found to be sendable, in their order; those of one hop are ours."""
    dropped = _NOT_THEIRS | named_in(response.headers)
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in response.headers
        if name.lower() not in dropped
    ]
