"""Between dead letters and their bodies. Pure."""

from typing import Any

import msgspec

from services.api.core import dead_letters as core
from services.api.dialects.rest.translate.stamps import stamp
from services.api.dialects.rest.wire import dead_letters as wire
from shared.domain.problem import wrong
from shared.domain.request import Request, Response, json_of

_NULL = msgspec.Raw(b"null")


def row(letter: core.Letter) -> wire.DeadLetterRow:
    """A letter in a list."""
    return wire.DeadLetterRow(**_fields(letter))


def detail(letter: core.Letter) -> wire.DeadLetter:
    """A letter alone."""
    request = letter.request
    return wire.DeadLetter(
        **_fields(letter),
        obstacle=letter.obstacle,
        user_username=letter.user.username if letter.user else None,
        parent_task_id=letter.parent_task_id or None,
        redrive_of=letter.redrive_of or None,
        request=None if request is None else _asked(request),
        params=_params(letter),
    )


def params(body: wire.Redrive | None) -> msgspec.Raw | None:
    """The params that a body replaces, if it does. Raises Problem(invalid)."""
    if body is None or body.params is msgspec.UNSET:
        return None
    if bytes(body.params)[:1] != b"{":
        raise wrong("params", "params must be a JSON object")
    return msgspec.Raw(bytes(body.params))


def is_all(body: wire.RedriveMany) -> bool:
    """Whether all are meant, or those that are named. Raises Problem(invalid) for both, or neither."""
    if body.all == bool(body.ids):
        raise wrong("ids", "ids must name letters, or all must be true, and not both")
    return body.all


def redriven(made: core.Redriven) -> wire.Redriven:
    """The invocation that a letter became."""
    return wire.Redriven(id=made.id, task_id=made.task_id, repeated=made.repeated)


def many(done: core.Many) -> wire.RedrivenMany:
    """What became of many letters."""
    return wire.RedrivenMany(
        redriven=[redriven(one) for one in done.redriven],
        failed=[wire.NotRedriven(id=one.id, error=one.reason) for one in done.kept],
        remaining=done.remaining,
        after=done.after,
        until=done.until,
    )


def _fields(letter: core.Letter) -> dict[str, Any]:
    return {
        "id": letter.id,
        "task_id": letter.task_id or None,
        "function_name": letter.function_name,
        "function_slug": letter.function_slug,
        "trigger_type": letter.trigger_type,
        "task_status": letter.status,
        "reason": letter.reason,
        "error_class": letter.error_class,
        "attempts": letter.attempts,
        "created_at": None if letter.accepted_at is None else stamp(letter.accepted_at),
        "died_at": stamp(letter.died_at),
        "redrivable": not letter.obstacle,
    }


def _asked(request: Request) -> wire.AskedRequest:
    return wire.AskedRequest(method=request.method, path=request.path, content_type=_content_type(request))


def _params(letter: core.Letter) -> msgspec.Raw:
    if letter.request is None:
        return _NULL if letter.params is None else letter.params
    shown = Response(headers=[("content-type", _content_type(letter.request))], body=letter.request.body)
    return msgspec.Raw(json_of(shown))


def _content_type(request: Request) -> str:
    return next((value for name, value in request.headers if name.lower() == "content-type"), "")
