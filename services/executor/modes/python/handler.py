"""One call inside the worker: run the code in fresh globals, call its entry, turn what comes out into a reply."""

import contextvars
import inspect
import json
from collections.abc import Callable
from functools import partial
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from services.executor.modes.python.asking import Ask
from services.executor.modes.python.coroutines import finished
from services.executor.modes.python.ctx import Ctx
from services.executor.modes.python.current import OUTPUT
from services.executor.modes.python.facades import forget_seed
from services.executor.modes.python.frames import CallFrame, HeadFrame, NeedFrame, ReplyFrame, RequestFrame
from services.executor.modes.python.json_text import NotJsonError, json_text
from services.executor.modes.python.names import fresh_globals
from services.executor.modes.python.nesting import WORKERS_SPARE, body_too_deep
from services.executor.modes.python.output import Output
from services.executor.modes.python.plugins.calling import call_plugin
from services.executor.modes.python.plugins.classes import PluginError, find
from services.executor.modes.python.plugins.examining import examine
from services.executor.modes.python.plugins.results import TooLargeError
from services.executor.modes.python.request import Request
from services.executor.modes.python.response import JSON, Response, answer_of
from services.executor.modes.python.tracebacks import located, sentence, traceback_text

NO_MAIN = "Code must define a 'main' function"
NO_ENTRY = f"{NO_MAIN}, or a 'handler' function that answers requests"

_BAD_BODY = {
    "error": {
        "code": "VALIDATION_INVALID_SCHEMA",
        "message": "The body of a request to this function is JSON, or empty.",
        "remediation": "Send the params of the function as JSON.",
    }
}
# Parameters a main is given: params, context, and a third that nothing fills yet.
_MAX_ARGUMENTS = 3
_USUAL_ARGUMENTS = 2


class _NoMainError(Exception):
    """The code has neither a `main` nor a `handler` that can be called."""


class _Result(NamedTuple):
    """JSON text, or the body of a response and its head."""

    body: bytes
    head: HeadFrame | None = None


def run_call(code: CodeType, call: CallFrame, ask: Ask) -> ReplyFrame:
    """Run one call to its end, whatever the code does, short of the death of the process."""
    output = Output(call.output_bytes, call.log_lines, ask.telling)
    names = fresh_globals(output, call.context)
    # A context of its own: decimal's precision is a context variable, and must not outlive the call.
    context = contextvars.Context()
    context.run(OUTPUT.set, output)
    try:
        result = context.run(_execute, code, names, call, ask)
        reply = _answer(result, call)
    except MemoryError:
        # Nothing the failed call holds may stay: the reply needs memory too.
        names.clear()
        reply = ReplyFrame(call.nonce, "memory", error=f"memory limit of {call.memory_mb} MB exceeded")
    except _NoMainError:
        # Callers with params are told in the words that they have always been told in.
        told = NO_MAIN if call.request is None else NO_ENTRY
        reply = ReplyFrame(call.nonce, "failed", error=told, traceback=f"SandboxError: {NO_ENTRY}")
    except PluginError as error:
        reply = ReplyFrame(call.nonce, "failed", error=str(error), traceback=f"SandboxError: {error}")
    except TooLargeError:
        error_text = f"the result has more than the limit of {call.result_bytes} bytes"
        reply = ReplyFrame(call.nonce, "too_large", error=error_text)
    except NotJsonError as error:
        trace = f"TypeError: result is not JSON serializable: {error}"
        told = f"Execution failed: {trace}" if call.examine is None else f"TypeError: the schema or the values: {error}"
        reply = ReplyFrame(call.nonce, "failed", error=told, traceback=trace)
    except BaseException as error:  # noqa: BLE001 - SystemExit and its like are the function's failure too
        told = f"Execution failed: {sentence(error)}" if call.examine is None else located(error)
        reply = ReplyFrame(call.nonce, "failed", error=told, traceback=traceback_text(error))
    finally:
        # Functions and their globals hold each other: without this the memory waits for a garbage collection.
        names.clear()
        forget_seed()
        output.finish()
        ask.end()
    return _with_output(reply, output)


def _execute(code: CodeType, names: dict[str, Any], call: CallFrame, ask: Ask) -> _Result:
    """A request is for `handler`, params are for `main`; a source with only one of them has both come to it.

    The class of a plugin has all of it.
    """
    params, log = json.loads(call.params), names["log"]
    exec(code, names)  # noqa: S102 - what the worker is for
    if call.examine is not None:
        return _Result(examine(names, call.examine))
    found = find(names) if call.plugin is not None else None
    if found is not None:
        plug = partial(call_plugin, found, call=call, ask=ask, log=log)
        return _Result(plug(params)) if call.request is None else _serve(call.request, plug)
    main = names.get("main")
    if call.request is None and callable(main):
        return _Result(json_text(finished(main(*_arguments(main, params, call.context)))))
    handler = names.get("handler")
    if callable(handler):
        request = call.request or ask(NeedFrame(call.nonce, "request")).request
        return _handle(handler, request, ask)
    if call.request is None or not callable(main):
        raise _NoMainError
    return _serve(call.request, lambda sent: json_text(finished(main(*_arguments(main, sent, call.context)))))


def _handle(handler: Callable[..., Any], request: RequestFrame | None, ask: Ask) -> _Result:
    """Have a handler answer."""
    if request is None:
        raise RuntimeError("the call cannot be told as a request")
    given = [Request(request), Ctx(ask, request.facts)]
    if isinstance(handler, FunctionType) and not handler.__code__.co_flags & inspect.CO_VARARGS:
        given = given[: handler.__code__.co_argcount]
    return _told(answer_of(finished(handler(*given))))


def _serve(request: RequestFrame, answer: Callable[[Any], bytes]) -> _Result:
    """Answer a request with a result: its body is the params."""
    try:
        params = json.loads(request.body or b"{}")
    except (ValueError, RecursionError):
        return _told(Response(_BAD_BODY, status=400))
    return _Result(answer(params), HeadFrame(200, [("content-type", JSON)]))


def _told(response: Response) -> _Result:
    if body_too_deep(response.body, response.headers.get("content-type", ""), spare=WORKERS_SPARE):
        raise NotJsonError("it is nested too deeply")
    return _Result(response.body, HeadFrame(response.status, response.headers.items()))


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


def _answer(result: _Result, call: CallFrame) -> ReplyFrame:
    if len(result.body) <= call.result_bytes:
        return ReplyFrame(call.nonce, "ok", result=result.body, head=result.head)
    error = f"the result has {len(result.body)} bytes, over the limit of {call.result_bytes} bytes"
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
        head=reply.head,
        said=output.said,
        printed=[(first, count) for first, count in output.printed],
    )
