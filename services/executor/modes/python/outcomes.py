"""From what a worker said, or from how it ended, to the Outcome of the call."""

import signal

from services.executor.mode import Call
from services.executor.modes.python.exits import MEMORY_EXIT, VIOLATION_STATUS
from services.executor.modes.python.frames import FrameError, HeadFrame, ReplyFrame
from services.executor.modes.python.heads import check_headers, check_status
from services.executor.modes.python.lines import checked, log_of, printed_of, warnings_of
from services.executor.modes.python.nesting import EXECUTORS_SPARE, body_too_deep
from services.executor.pool.worker import Reason
from shared.domain.limits import Limits
from shared.domain.outcome import NULL, LogLine, Outcome, Usage
from shared.domain.request import BODILESS, Response

_ERROR_TYPES = {"failed": "SandboxError", "too_large": "ResultTooLarge", "memory": "MemoryError"}

# How native code gives up: abort() is a fault as well, for a worker may send no signal, not even to itself.
_GIVEN_UP = frozenset(-one for one in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGTRAP))

_MAX_TOLD = 64 << 10  # characters of an error and its traceback; an honest worker keeps far below


def outcome_of(reply: ReplyFrame, limits: Limits, usage: Usage) -> Outcome:
    """The outcome a reply stands for. Raises FrameError when the reply cannot be an honest one."""
    told = len(reply.error) + len(reply.traceback)
    room_bytes = limits.output_bytes - len(reply.stdout.encode())
    if room_bytes < 0 or len(reply.result) > limits.result_bytes or told > _MAX_TOLD:
        raise FrameError("a reply over the limits")
    logs: list[LogLine] = []
    warnings: list[str] = []
    if reply.lines or reply.truncated or reply.lines_too_large or reply.lines_too_many:
        logs, warnings = log_of(reply, limits, room_bytes=room_bytes), warnings_of(reply, limits)
    if reply.status == "ok":
        return Outcome(
            status="SUCCESS",
            result=checked(reply.result) if reply.head is None else NULL,
            response=None if reply.head is None else _response(reply.head, reply.result),
            stdout=reply.stdout,
            logs=logs,
            warnings=warnings,
            usage=usage,
            said=reply.said,
            printed=printed_of(reply),
        )
    error_type = _ERROR_TYPES[reply.status]
    return Outcome(
        status="FAILURE",
        stdout=reply.stdout,
        logs=logs,
        warnings=warnings,
        error_type=error_type,
        error=reply.error,
        traceback=reply.traceback or f"{error_type}: {reply.error}",
        usage=usage,
        said=reply.said,
        printed=printed_of(reply),
    )


def outcome_of_end(reason: Reason, status: int | None, *, call: Call, usage: Usage) -> Outcome:
    """The outcome of a call whose worker ended before it replied."""
    if reason == "deadline":
        error_type, error = "TimeoutError", f"execution exceeded the limit of {call.limits.timeout_s:g} s"
    elif reason == "cpu":
        error_type, error = "CpuLimitExceeded", f"used more than the limit of {call.limits.cpu_s:g} s of CPU time"
    elif status == MEMORY_EXIT:
        error_type, error = "MemoryError", f"memory limit of {call.limits.memory_mb} MB exceeded"
    elif status == VIOLATION_STATUS:
        error_type, error = "SandboxViolation", "the worker was ended: it made a system call that only an attack makes"
    elif reason == "closed":
        error_type, error = "WorkerDied", "the executor was stopped"
    elif reason == "broken":
        error_type, error = "WorkerDied", "the worker was ended: its reply broke the protocol"
    else:
        error_type, error = "WorkerDied", f"the worker ended by itself: {_told(status)}{_why(status, call)}"
    return Outcome(
        status="FAILURE", error_type=error_type, error=error, traceback=f"{error_type}: {error}", usage=usage
    )


def _response(head: HeadFrame, body: bytes) -> Response:
    """Of a worker, which is not believed. Raises FrameError."""
    try:
        check_status(head.status)
        check_headers(head.headers)
    except ValueError as error:
        raise FrameError(f"a response that cannot be sent: {error}") from error
    response = Response(status=head.status, headers=head.headers, body=body)
    if body and head.status in BODILESS:
        raise FrameError("a body where none can be")
    if body_too_deep(body, response.header("content-type"), spare=EXECUTORS_SPARE):
        raise FrameError("a body that is nested too deeply")
    return response


def _why(status: int | None, call: Call) -> str:
    """Native code that gets no memory ends its process, where Python would have raised MemoryError."""
    if status not in _GIVEN_UP:
        return ""
    return (
        f"; mostly its native code wanted more than the limit of {call.limits.memory_mb} MB, or was nested too deeply"
    )


def _told(status: int | None) -> str:
    if status is None:
        return "the processes of the sandbox were restarted"
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
