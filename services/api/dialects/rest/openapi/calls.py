"""The operation that is in no route table: the call of a function, which goes past the framework (`execute.py`)."""

from services.api.dialects.rest.openapi.answers import Answers
from services.api.dialects.rest.openapi.operations import Operation, codes, shown
from services.api.dialects.rest.openapi.parameters import Parameter, in_path
from services.api.dialects.rest.wire import invocations as wire

PATHS = {
    "execute_function": "/api/functions/{slug}/execute",
    "execute_function_in_app": "/api/apps/{app}/functions/{slug}/execute",
}
_SUMMARY = "Call a function"
_DESCRIPTION = (
    "Waits for the result, and answers 202 with the `task_id` when it takes longer than the platform waits, or at once "
    "where that is asked for: by `async` in the body or the query, or by `Prefer: respond-async`."
)
_ASKED = [
    Parameter(
        "async", "query", str, description="`true` or `1` for an answer at once, with the result to be asked for"
    ),
    Parameter("Prefer", "header", str, description="`respond-async` says the same"),
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
            409: {"application/json": wire.Failed},  # cancelled
            500: {"application/json": wire.Failed},
            504: {"application/json": wire.Failed},  # expired
        },
        codes=codes(given, body=wire.Execute, said=Answers(), anonymous=False),
    )
