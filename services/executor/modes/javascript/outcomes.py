"""From what a worker answered, or from how it ended, to the Outcome of the call."""

import re
import signal
from pathlib import Path

import msgspec

from services.executor.mode import Call
from services.executor.modes.javascript import wire
from services.executor.modes.javascript.asks import Ask
from services.executor.modes.javascript.exchange import Exchange
from services.executor.modes.javascript.lines import Log
from services.executor.pool.worker import Reason
from shared.domain.outcome import STATUS_CODES, Outcome, Usage, failure
from shared.domain.request import Response

_MOST_SAID = 8000  # characters of an error's sentence
_MOST_FRAMES = 20
_FRAME = re.compile(r"^    at .*?index\.[jt]s:\d+:\d+\)?$")
_NAME = re.compile(r"[A-Za-z_$][\w$]{0,79}")
# What the platform says of limits, and of what could not be run: a function cannot say it of itself.
_OURS = frozenset({"MemoryError", "WorkerDied", *STATUS_CODES})
_NO_MEMORY = (b"out of memory", b"memory allocation of", b"heap limit", b"Cannot allocate memory")
_ABORTS = (-signal.SIGTRAP, -signal.SIGABRT, -signal.SIGILL, -signal.SIGSEGV, 133, 134)


class Thrown(msgspec.Struct, frozen=True):
    """What a handler threw, as its host tells it."""

    name: str = "Error"
    message: str = ""
    stack: str = ""


_thrown = msgspec.json.Decoder(Thrown)


def answered(exchange: Exchange, body: bytes, *, streamed: bool = False) -> Outcome:
    """The outcome of a call that was answered."""
    response = Response(status=exchange.status, headers=wire.told(exchange.headers), body=body, streamed=streamed)
    return Outcome(status="SUCCESS", response=response)


def thrown(body: bytes, folder: Path) -> Outcome:
    """The outcome of a call whose handler threw."""
    try:
        told = _thrown.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = Thrown(message="the handler failed, and cannot say why")
    return failed(told, folder)


def failed(told: Thrown | Ask, folder: Path) -> Outcome:
    """The outcome of a call whose code failed: the frames are those of its own file."""
    name = told.name if _NAME.fullmatch(told.name) and told.name not in _OURS else "Error"
    message = told.message[:_MOST_SAID]
    frames = [line for line in told.stack.splitlines() if _FRAME.match(line)][:_MOST_FRAMES]
    own = [line.replace(f"{folder.as_uri()}/", "") for line in frames]
    return failure(name, message, "\n".join([f"{name}: {message}", *own]))


def too_large(call: Call) -> Outcome:
    """The outcome of a call with too long an answer."""
    return failure("ResultTooLarge", f"the answer is over the limit of {call.limits.result_bytes} bytes")


def ended(reason: Reason | None, status: int | None, *, call: Call, log: Log) -> Outcome:
    """The outcome of a call whose worker ended before it answered."""
    if reason == "deadline":
        return failure("TimeoutError", f"execution exceeded the limit of {call.limits.timeout_s:g} s")
    if reason == "cpu":
        return failure("CpuLimitExceeded", f"used more than the limit of {call.limits.cpu_s:g} s of CPU time")
    if reason == "closed":
        return failure("WorkerDied", "the executor was stopped")
    if reason == "broken":
        return failure("WorkerDied", "the worker was ended: what it sent broke the protocol")
    if starved(status, log):
        return failure("MemoryError", f"memory limit of {call.limits.memory_mb} MB exceeded")
    return failure("WorkerDied", f"the worker ended by itself: {_told(status)}")


def starved(status: int | None, log: Log) -> bool:
    """Whether a worker died for want of memory."""
    return status in _ABORTS and any(word in log.tail for word in _NO_MEMORY)


def way_of(status: int | None) -> str:
    """How a worker ended by itself, for the metrics."""
    return "memory" if status in _ABORTS else "died"


def complete(outcome: Outcome, log: Log, usage: Usage) -> Outcome:
    """With what was logged and used."""
    return msgspec.structs.replace(
        outcome,
        logs=log.lines,
        said=log.said,
        stderr=log.stderr,
        warnings=[*outcome.warnings, *log.warnings],
        usage=usage,
    )


def _told(status: int | None) -> str:
    if status is None:
        return "it hung up"
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"
