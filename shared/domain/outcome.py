"""How an invocation ended."""

from typing import Literal

import msgspec

from shared.domain.invocation import End
from shared.domain.request import Response, json_of, kept_of, restored

NULL = msgspec.Raw(b"null")

STATUS_CODES = {
    "FunctionNotFound": 404,
    "NoActiveCode": 404,
    "TenantNotActive": 404,
    "ParamsTooLarge": 413,
    "ResultTooLarge": 502,
    "Undeliverable": 503,
    "AttemptLost": 502,
    "SecretUnreadable": 503,
    "TimeoutError": 504,
    "CpuLimitExceeded": 504,
    "Cancelled": 409,
    "Expired": 504,
}
"""The HTTP statuses of failures that are not the handler's own, by their types; any other failure is 500."""
_ENDED_WELL, _FIRST_ERROR, _FAILED = 200, 400, 500


class Usage(msgspec.Struct, frozen=True):
    """What a call cost: CPU seconds by the kernel's clock, peak memory in bytes. Zero where the mode cannot tell."""

    cpu_s: float = 0.0
    peak_bytes: int = 0


LogLevel = Literal["debug", "log", "info", "warning", "error"]
"""`log` is what was said at no level, as `console.log` does."""


class LogLine(msgspec.Struct, frozen=True):
    """A line that the function logged: `at` is Unix seconds by the clock of the call, `data` any JSON value.

    `n` is its number among all lines of the call, from 1; 0 where they are not counted.
    """

    at: float
    level: LogLevel
    message: str
    data: msgspec.Raw = NULL
    n: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one invocation. A function's own failure is an Outcome, never an exception.

    `result` is JSON text. `error_type` is the short name of the error (`TimeoutError`, `SandboxError` …), `error` its
    sentence, `traceback` the frames of the function's own code. `stdout`, `stderr` and `logs` are bounded together;
    `warnings` names what was left out without making the call fail: `OutputTruncated: sentence`, `LogTruncated: …`.
    `said` is how many lines were written in all, kept or not, 0 where they are not counted; `printed` has the numbers
    of those in `stdout`, as pairs of a number and how many follow each other from it on.
    `response` is what a handler answered to a request; then `result` is empty until `recorded` makes it.
    """

    status: End
    result: msgspec.Raw = NULL
    stdout: str = ""
    stderr: str = ""
    logs: list[LogLine] = []
    warnings: list[str] = []
    error_type: str = ""
    error: str = ""
    traceback: str = ""
    usage: Usage = Usage()
    response: Response | None = None
    said: int = 0
    printed: list[tuple[int, int]] = []

    def recorded(self) -> "Outcome":
        """As it is kept, and told to who asked for a result: the response's body is the result, as JSON.

        Of the response its status and its content type stay. Its other header lines may be secret, and are nobody's but
        the caller's.
        """
        if self.response is None:
            return self
        result = json_of(self.response) if self.response.body else bytes(self.result)
        kept = kept_of(self.response, result)
        bare = Response(status=self.response.status, streamed=self.response.streamed, kept=kept)
        return msgspec.structs.replace(self, result=msgspec.Raw(result), response=bare)

    def again(self) -> "Outcome":
        """As it is told to who asks a second time: what is not kept is not in it, though it may still be at hand."""
        recorded = self.recorded()
        if recorded.response is None:
            return recorded
        return msgspec.structs.replace(recorded, response=restored(recorded.response, bytes(recorded.result)))

    @property
    def status_code(self) -> int:
        """The HTTP status that it stands for: the handler's own, or the one of how it ended."""
        if self.response is not None and self.status == "SUCCESS":
            return self.response.status
        return _ENDED_WELL if self.status == "SUCCESS" else STATUS_CODES.get(self.error_type, _FAILED)

    @property
    def failed(self) -> bool:
        """Whether it counts as an error: it failed, expired, or its handler answered so; to be cancelled is none."""
        return self.status != "CANCELLED" and self.status_code >= _FIRST_ERROR

    @property
    def truncated(self) -> bool:
        """Whether output or log lines were left out."""
        return bool(self.warnings)

    @property
    def message(self) -> str:
        """`Type: sentence`, or the empty string for a success."""
        return f"{self.error_type}: {self.error}" if self.error_type else ""


# Which limit an error or a warning stands for.
_LIMITS = {
    "TimeoutError": "wall",
    "CpuLimitExceeded": "cpu",
    "MemoryError": "memory",
    "ResultTooLarge": "result",
    "ParamsTooLarge": "params",
    "OutputTruncated": "output",
    "ResultTruncated": "result",
    "LogTruncated": "log_lines",
}


def limits_reached(outcome: Outcome) -> list[str]:
    """The limits that an invocation met: wall, cpu, memory, result, params, output, log_lines."""
    names = [outcome.error_type, *(warning.partition(":")[0] for warning in outcome.warnings)]
    return [_LIMITS[name] for name in names if name in _LIMITS]


def failure(error_type: str, error: str, traceback: str = "") -> Outcome:
    """A failed outcome without output."""
    return Outcome(
        status="FAILURE", error_type=error_type, error=error, traceback=traceback or f"{error_type}: {error}"
    )


def cancelled(by: str) -> Outcome:
    """The end of what somebody did not want any more."""
    return Outcome(status="CANCELLED", error_type="Cancelled", error=f"The invocation was cancelled by {by}")


def expired(after_s: float) -> Outcome:
    """The end of what was not started in time: `after_s` is how long it had, in seconds, told to the millisecond."""
    error = f"The invocation was not started within {max(round(after_s, 3), 0.001):.15g} seconds"
    return Outcome(status="EXPIRED", error_type="Expired", error=error)
