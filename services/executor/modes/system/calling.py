"""One call of one system function: its params checked, its time kept, its end told."""

import asyncio
import traceback
from types import TracebackType
from typing import Any, NamedTuple

import msgspec

from services.executor.mode import Call, Unavailable
from services.executor.modes.system.threads import Threads
from shared.domain.limits import Limits
from shared.domain.outcome import NULL, Outcome
from shared.domain.problem import Problem
from shared.system import Context, Failure, Retryable, SystemFunction

_TRACEBACK_CHARS = 8000
_ERROR_CHARS = 2000
_NAME_CHARS = 100
_FRAMES = 50
# What the decoder says of a field whose name stands in the sentence, and not in the path.
_ABOUT_A_FIELD = {
    "Object missing required field": "This field is required",
    "Object contains unknown field": "There is no such field",
}
_CANCEL_S = 1.0
"""What a function that is out of time has to let go, before it is left to itself."""


class Ended(NamedTuple):
    """How a try ended; `after_s` is when to try again, 0 for a delay of the platform's choice, None for not at all."""

    outcome: Outcome
    after_s: float | None = None


async def called(function: SystemFunction, call: Call, context: Context, *, threads: Threads) -> Ended:
    """Run it once. Whatever it raises is an outcome; where bus or store were away, Unavailable is raised."""
    try:
        params = msgspec.json.decode(call.params, type=function.params or dict[str, Any])
    except msgspec.ValidationError as error:
        return Ended(_failed(context, Failure("InvalidParams", _fault(str(error)))))
    running = asyncio.ensure_future(_started(function, params, context, threads=threads))
    try:
        await asyncio.wait({running}, timeout=context.timeout_s)
    finally:
        if not running.done():
            running.cancel()
    if not running.done():
        await asyncio.wait({running}, timeout=_CANCEL_S)
        return Ended(_failed(context, Failure("TimeoutError", f"Execution exceeded {context.timeout_s:g} seconds")))
    return _ended(running, context, limits=call.limits)


async def _started(function: SystemFunction, params: Any, context: Context, *, threads: Threads) -> Any:
    if function.is_async:
        return await function.run(params, context)
    return await threads.run(lambda: function.run(params, context))


def _ended(running: "asyncio.Future[Any]", context: Context, *, limits: Limits) -> Ended:
    if running.cancelled():
        return Ended(_failed(context, Failure("CancelledError", "The function cancelled itself")))
    error = running.exception()
    if isinstance(error, Unavailable):
        raise error
    if isinstance(error, Problem) and error.code == "unavailable":
        raise Unavailable(error.message)
    if isinstance(error, Retryable):
        return Ended(_failed(context, error), error.after_s or 0.0)
    if isinstance(error, Failure):
        return Ended(_failed(context, error, result=_encoded(error.result, limits)))
    if error is not None:
        return Ended(_failed(context, Failure(type(error).__name__, str(error)), trace=_trace(error)))
    try:
        result = msgspec.json.encode(running.result())
    except (TypeError, ValueError, OverflowError, RecursionError) as fault:
        return Ended(_failed(context, Failure(type(fault).__name__, f"The result is not a JSON value: {fault}")))
    if len(result) > limits.result_bytes:
        message = f"The result has {len(result)} bytes; the limit is {limits.result_bytes}"
        return Ended(_failed(context, Failure("ResultTooLarge", message)))
    return Ended(Outcome(status="SUCCESS", result=msgspec.Raw(result), logs=context.lines, warnings=_warnings(context)))


def _failed(context: Context, failure: Failure, *, result: msgspec.Raw = NULL, trace: str = "") -> Outcome:
    message = failure.message[:_ERROR_CHARS]
    return Outcome(
        status="FAILURE",
        result=result,
        logs=context.lines,
        warnings=_warnings(context),
        error_type=failure.error_type[:_NAME_CHARS],
        error=message,
        traceback=trace or f"{failure.error_type}: {message}",
    )


def _encoded(result: Any, limits: Limits) -> msgspec.Raw:
    """What a failed call had done so far, if it can be kept."""
    try:
        encoded = msgspec.json.encode(result)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return NULL
    return msgspec.Raw(encoded) if len(encoded) <= limits.result_bytes else NULL


def _warnings(context: Context) -> list[str]:
    return [f"LogTruncated: {context.lines_lost} log lines were left out"] if context.lines_lost else []


def _fault(text: str) -> str:
    """The decoder's sentence, with the field it speaks of in front."""
    fault, _, path = text.partition(" - at `$")
    for begin, said in _ABOUT_A_FIELD.items():
        if fault.startswith(begin):
            path, fault = f"{path.rstrip('`')}.{fault.split('`')[1]}", said
    field = path.rstrip("`").lstrip(".")
    return f"{field}: {fault}" if field else fault


def _trace(error: BaseException) -> str:
    """The frames of the function's own code."""
    text = "".join(traceback.format_exception(type(error), error, _own(error.__traceback__), limit=_FRAMES))
    return text if len(text) <= _TRACEBACK_CHARS else f"…{text[-_TRACEBACK_CHARS:]}"


def _own(frames: TracebackType | None) -> TracebackType | None:
    """Without ours, which only call it."""
    while frames is not None and frames.tb_frame.f_code.co_filename in _OURS:
        frames = frames.tb_next
    return frames


_OURS = frozenset({__file__, Threads.run.__code__.co_filename})
