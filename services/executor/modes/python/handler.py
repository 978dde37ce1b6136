"""One call inside the worker: run the code in fresh globals, call its `main`, turn what comes out into a reply."""

import contextvars
import inspect
import json
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from services.executor.modes.python.facades import forget_seed
from services.executor.modes.python.frames import CallFrame, ReplyFrame
from services.executor.modes.python.json_text import NotJsonError, json_text
from services.executor.modes.python.names import fresh_globals
from services.executor.modes.python.output import Output
from services.executor.modes.python.tracebacks import sentence, traceback_text

NO_MAIN = "Code must define a 'main' function"

# Parameters a handler is given: params, context, and a third that nothing fills yet.
_MAX_ARGUMENTS = 3
_USUAL_ARGUMENTS = 2


class _NoMainError(Exception):
    """The code has no `main` that can be called."""


def run_call(code: CodeType, call: CallFrame) -> ReplyFrame:
    """Run one call to its end, whatever the code does, short of the death of the process."""
    output = Output(call.output_bytes, call.log_lines)
    names = fresh_globals(output, call.context)
    try:
        # A context of its own: decimal's precision is a context variable, and must not outlive the call.
        result = contextvars.Context().run(_execute, code, names, call)
        reply = _answer(result, call)
    except MemoryError:
        # Nothing the failed call holds may stay: the reply needs memory too.
        names.clear()
        reply = ReplyFrame(call.nonce, "memory", error=f"memory limit of {call.memory_mb} MB exceeded")
    except _NoMainError:
        reply = ReplyFrame(call.nonce, "failed", error=NO_MAIN)
    except NotJsonError as error:
        told = f"TypeError: result is not JSON serializable: {error}"
        reply = ReplyFrame(call.nonce, "failed", error=f"Execution failed: {told}", traceback=told)
    except BaseException as error:  # noqa: BLE001 - SystemExit and its like are the function's failure too
        told, trace = sentence(error), traceback_text(error)
        reply = ReplyFrame(call.nonce, "failed", error=f"Execution failed: {told}", traceback=trace)
    finally:
        # Functions and their globals hold each other: without this the memory waits for a garbage collection.
        names.clear()
        forget_seed()
    return _with_output(reply, output)


def _execute(code: CodeType, names: dict[str, Any], call: CallFrame) -> bytes:
    params = json.loads(call.params)
    exec(code, names)  # noqa: S102 - what the worker is for
    main = names.get("main")
    if not callable(main):
        raise _NoMainError
    return json_text(main(*_arguments(main, params, call.context)))


def _arguments(main: Callable[..., Any], params: Any, context: dict[str, Any]) -> list[Any]:
    """As many of params, context and None as `main` takes by position. A default is left to stand for the None."""
    given = [params, context, None]
    if not isinstance(main, FunctionType):
        return given[:_USUAL_ARGUMENTS]
    count = min(main.__code__.co_argcount, _MAX_ARGUMENTS)
    if count == _MAX_ARGUMENTS and main.__defaults__:
        count = _USUAL_ARGUMENTS
    if main.__code__.co_flags & inspect.CO_VARARGS:
        count = max(count, _USUAL_ARGUMENTS)
    return given[:count]


def _answer(result: bytes, call: CallFrame) -> ReplyFrame:
    if len(result) <= call.result_bytes:
        return ReplyFrame(call.nonce, "ok", result=result)
    error = f"the result has {len(result)} bytes, over the limit of {call.result_bytes} bytes"
    return ReplyFrame(call.nonce, "too_large", error=error)


def _with_output(reply: ReplyFrame, output: Output) -> ReplyFrame:
    return ReplyFrame(
        reply.nonce,
        reply.status,
        result=reply.result,
        stdout=output.text(),
        truncated=output.truncated,
        error=reply.error,
        traceback=reply.traceback,
        lines=output.lines,
        lines_too_large=output.lines_too_large,
        lines_too_many=output.lines_too_many,
    )
