"""The request that a handler is asked, whatever the call came by. Pure."""

import uuid
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from services.executor.mode import Call
from shared.domain import app
from shared.domain.function import Function
from shared.domain.request import TRACE_HEADERS, Header, Request

# Lines that only the platform writes: a handler may believe them.
_OURS = ("x-user-id", "x-app-id", "x-trigger-type")
# A header is ASCII to be sure: what else is in a user's id is percent-encoded, and so is %, so that no two are one.
_ASCII = "".join(map(chr, range(0x20, 0x7F))).replace("%", "")
_INTERNAL = "http://function.internal/"


def request_of(call: Call) -> Request:
    """What the handler is asked; of a call that was no request, a POST of its params as JSON.

    `x-user-id`, `x-app-id` and `x-trigger-type` are the platform's word, whatever came under these names; and so is
    `traceparent` where there are traces: it is that of the run.
    """
    if call.request is not None:
        request = call.request
    else:
        body = _cron(call, call.function) if call.trigger_type == "schedule" and call.function else call.params
        request = Request(url=_INTERNAL, headers=[("content-type", "application/json")], body=body)
    not_theirs = (*_OURS, *TRACE_HEADERS) if call.trace else _OURS
    theirs = [line for line in request.headers if line[0].lower() not in not_theirs]
    return msgspec.structs.replace(request, headers=[*theirs, *_ours(call), *call.trace])


def _ours(call: Call) -> list[Header]:
    trigger: str = call.trigger_type
    lines: list[Header] = [("x-trigger-type", "cron" if trigger == "schedule" else trigger)]
    if call.function is not None:
        lines.append(("x-app-id", app.public_id(call.tenant, call.function.app)))
    if user_id := _user_id(call):
        lines.append(("x-user-id", quote(user_id, safe=_ASCII)))
    return lines


def _user_id(call: Call) -> str:
    if call.actor is not None:
        return call.actor.user_id
    user = call.context.get("user")
    return str(user["id"]) if user else ""


def _cron(call: Call, function: Function) -> bytes:
    """The task id of a scheduled run says when it was due."""
    due = datetime.fromtimestamp((uuid.UUID(call.task_id).int >> 80) / 1000, UTC)
    told = {
        "trigger": "cron",
        "schedule": function.cron_expression,
        "timezone": function.schedule_timezone,
        "scheduledTime": due.isoformat().replace("+00:00", "Z"),
    }
    return msgspec.json.encode({**msgspec.json.decode(call.params), **told})
