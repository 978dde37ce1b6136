"""What an operator's package needs that adds system functions: the only module of ours that it is to import.

An entry point of the group `shoal.system_functions` names a function that was made with `system_function`; the name of
the entry point is the function's slug. docs/system-functions.md has an example.
"""

import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from shared.domain.caller import User
from shared.domain.invocation import TriggerType
from shared.domain.limits import Limits
from shared.domain.outcome import LogLevel, LogLine
from shared.domain.retry import MAX_RETRIES

GROUP = "shoal.system_functions"
MAX_TIMEOUT_S = 86_400.0
# Of a context that is made without limits, as an operator's tests do.
_RESULT_BYTES = 1 << 20
_LOG_LINES = 1000
_LOG_BYTES = 64 << 10


class Failure(Exception):  # noqa: N818 - how a call ends, not an error of ours
    """End the call as failed, under this name, and do not try it again. `result`, JSON, is what was done so far."""

    def __init__(self, error_type: str, message: str, *, result: Any = None) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.result = result


class Retryable(Failure):
    """Fail for now: the call is tried again after `after_s` seconds, or a delay that grows, while it has retries."""

    def __init__(self, message: str, *, after_s: float | None = None, error_type: str = "Retryable") -> None:
        super().__init__(error_type, message)
        self.after_s = after_s


class Context:
    """One call: whose it is, which try it is, from 1, and for how many seconds it may run."""

    def __init__(
        self,
        *,
        task_id: str,
        tenant: str,
        function: str,
        user: User | None = None,
        attempt: int = 1,
        timeout_s: float = 30.0,
        limits: Limits | None = None,
        trigger_type: TriggerType = "api",
    ) -> None:
        self.task_id = task_id
        self.tenant = tenant
        self.function = function
        self.user = user
        self.attempt = attempt
        self.timeout_s = timeout_s
        self.result_bytes = limits.result_bytes if limits else _RESULT_BYTES
        self.trigger_type = trigger_type
        self.lines: list[LogLine] = []
        self.lines_lost = 0
        self._left_lines = limits.log_lines if limits else _LOG_LINES
        self._left_bytes = limits.output_bytes if limits else _LOG_BYTES

    def log(self, message: str, level: LogLevel = "info", data: Any = None) -> None:
        """Keep a line with the call's record. What is over the call's bounds is left out, and said to be."""
        encoded = msgspec.json.encode(data)
        size = len(message.encode("utf-8", "replace")) + len(encoded)
        if not self._left_lines or size > self._left_bytes:
            self.lines_lost += 1
            return
        self._left_lines -= 1
        self._left_bytes -= size
        self.lines.append(LogLine(time.time(), level, message, msgspec.Raw(encoded)))


Run = Callable[[Any, Context], Awaitable[Any]] | Callable[[Any, Context], Any]


class SystemFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A function with what it says of itself. `params` is the struct that its params must fit; None for any object."""

    run: Run
    description: str = ""
    params: type[msgspec.Struct] | None = None
    timeout_s: float | None = None
    max_retries: int = 0

    def __call__(self, params: Any, context: Context) -> Any:
        """The function itself, as its own tests call it."""
        return self.run(params, context)

    @property
    def is_async(self) -> bool:
        """Whether it runs in the event loop; one that does not is given a thread."""
        return inspect.iscoroutinefunction(self.run)


def system_function(
    *,
    description: str = "",
    params: type[msgspec.Struct] | None = None,
    timeout_s: float | None = None,
    max_retries: int = 0,
) -> Callable[[Run], SystemFunction]:
    """Make a function of `(params, context)` a system function: async, or else run in one of a few threads.

    `timeout_s` is the wall clock of one try, within what the tenant and the platform permit; None for the platform's
    default. `max_retries` is how often a try that raised Retryable is followed by another. Raises ValueError.
    """
    if timeout_s is not None and not 0 < timeout_s <= MAX_TIMEOUT_S:
        raise ValueError(f"timeout_s must be more than 0 and at most {MAX_TIMEOUT_S:g}")
    if not 0 <= max_retries <= MAX_RETRIES:
        raise ValueError(f"max_retries must be from 0 to {MAX_RETRIES}")
    if params is not None and not issubclass(params, msgspec.Struct):
        raise ValueError("params must be a msgspec.Struct")

    def made(run: Run) -> SystemFunction:
        return SystemFunction(
            run=run,
            description=description or inspect.getdoc(run) or "",
            params=params,
            timeout_s=timeout_s,
            max_retries=max_retries,
        )

    return made
