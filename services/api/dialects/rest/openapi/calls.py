"""The operation that is in no route table: the call of a function, which goes past the framework (`execute.py`)."""

from typing import Annotated

from msgspec import Meta

from services.api.dialects.rest.openapi.answers import Answers
from services.api.dialects.rest.openapi.operations import Operation, codes, shown
from services.api.dialects.rest.openapi.parameters import Parameter, in_path
from services.api.dialects.rest.wire import invocations as wire
from services.api.dialects.rest.wire.problems import Error
from shared.domain.idempotency import FIELD

PATHS = {
    "execute_function": "/api/functions/{slug}/execute",
    "execute_function_in_app": "/api/apps/{app}/functions/{slug}/execute",
}
_SUMMARY = "Call a function"
_DESCRIPTION = (
    "Waits for the result, and answers 202 with the `task_id` when it takes longer than the platform waits, or at once "
    "where that is asked for: by `async` in the body or the query, or by `Prefer: respond-async`.\n\n"
    "With an `Idempotency-Key` it is safe to send the same again: it is one call, and who comes later is told how it "
    "ended, with `Idempotent-Replayed: true`. The same key with other params, `callback_url` or `expires_in` is 409. "
    "A call that was cancelled is 409 too, with the body of a failed one."
)
_KEY = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[!-~]+$")]
_ASKED = [
    Parameter(
        "async", "query", str, description="`true` or `1` for an answer at once, with the result to be asked for"
    ),
    Parameter("Prefer", "header", str, description="`respond-async` says the same"),
    Parameter(
        FIELD, "header", _KEY, description="Of the caller's own making: the same key is the same call, for a day or so"
    ),
]


def calls() -> list[Operation]:
    """The call, under each of its paths."""
    return [_call(name, path) for name, path in PATHS.items()]


def _call(name: str, path: str) -> Operation:
    given = [*in_path(path), *_ASKED]
    return Operation(
        method="post",
        path=shown(path),
        name=name,
        tag="functions",
        summary=_SUMMARY,
        description=_DESCRIPTION,
        parameters=given,
        body=wire.Execute,
        body_required=False,
        bodies={
            200: {"application/json": wire.Executed},
            202: {"application/json": wire.Pending},
            409: {"application/json": (wire.Failed, Error)},  # cancelled, or another request's key
            500: {"application/json": wire.Failed},
            504: {"application/json": wire.Failed},  # expired
        },
        headers=("Idempotent-Replayed",),
        codes=codes(given, body=wire.Execute, said=Answers(frozenset({"conflict"})), anonymous=False),
    )
