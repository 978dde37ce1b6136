"""An invocation: its status table and the record that is kept of it."""

from datetime import datetime
from typing import Literal

import msgspec

from shared.domain.request import Kept
from shared.domain.retry import ErrorClass

End = Literal["SUCCESS", "FAILURE", "CANCELLED", "EXPIRED"]
"""How an invocation may end: CANCELLED by somebody's wish, EXPIRED because it was not started in time."""
Status = Literal["PENDING", "STARTED", "RETRY"] | End
TriggerType = Literal["api", "schedule", "http", "function", "webhook", "websocket", "s3_upload"]

# The only place a status may change: from -> to.
TRANSITIONS: dict[Status, frozenset[Status]] = {
    "PENDING": frozenset({"STARTED", "RETRY", "SUCCESS", "FAILURE", "CANCELLED", "EXPIRED"}),
    # What was said to run may have been handed back before it began, and then come too late.
    "STARTED": frozenset({"RETRY", "SUCCESS", "FAILURE", "CANCELLED", "EXPIRED"}),
    "RETRY": frozenset({"STARTED", "RETRY", "SUCCESS", "FAILURE", "CANCELLED"}),
    "SUCCESS": frozenset(),
    "FAILURE": frozenset(),
    "CANCELLED": frozenset(),
    "EXPIRED": frozenset(),
}
FINAL: frozenset[Status] = frozenset(status for status, later in TRANSITIONS.items() if not later)


def end_of(status: Status) -> End:
    """The status as an end; what has not ended counts as failed."""
    return "FAILURE" if status == "PENDING" or status == "STARTED" or status == "RETRY" else status  # noqa: PLR1714 - mypy narrows by these


def closed_to(then: Status) -> list[Status]:
    """The statuses that may not become `then`, sorted: what a change to `then` must not overwrite."""
    return sorted(status for status, later in TRANSITIONS.items() if then not in later)


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """When each stage was reached, Unix seconds by the clock of the service that reached it; 0 when it was not."""

    accepted: float
    routed: float = 0.0
    picked: float = 0.0
    started: float = 0.0
    done: float = 0.0


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that was not the last, or a run of one that was cut. The next one was `due_at`, None for at once.

    `error` is `Type: sentence`; of a run that was cut, `done_at` is when that was found out.
    """

    attempt: int
    started_at: datetime | None
    done_at: datetime | None
    error_class: ErrorClass
    error: str
    due_at: datetime | None = None


class Invocation(msgspec.Struct, frozen=True, kw_only=True):
    """The record of one invocation. `id` is its sequence in the command stream, `task_id` its UUID.

    `parent_task_id` is the invocation that made this one, empty when none did.
    `params` and `result` are JSON text, kept as they came, `logs` a JSON array of `outcome.LogLine`; `printed` is as
    there, `warnings` say what was left out. `attempts` counts the tries that have ended, `last_error` says why the last
    one was not the end, `Type: sentence`. Of a request, `method` and `path` are what was asked, `status_code` what was
    answered, `answer` what is kept of that; empty, 0 and None for what was none. `peak_bytes` is the memory it took,
    `started_at` when it began to run, `duration_us` for how long it did, in microseconds. `tries` are those before the
    last one, by names of their own. It is not to be started after `expires_at`; `redrive_of` is the task whose dead
    letter it was made of, and what came of it is posted to `callback_url`; None and empty where there is no such thing.
    """

    id: int
    task_id: str
    tenant: str
    function_id: int
    function_name: str
    function_slug: str
    trigger_type: TriggerType
    user_id: int | None = None
    user_username: str | None = None
    parent_task_id: str = ""
    status: Status = "PENDING"
    params: str = "{}"
    result: str = "null"
    stdout: str = ""
    stderr: str = ""
    logs: str = "[]"
    printed: list[tuple[int, int]] = []
    warnings: list[str] = []
    error_type: str = ""
    error: str = ""
    traceback: str = ""
    attempts: int = 0
    last_error: str = ""
    tries: dict[str, Try] = {}
    expires_at: datetime | None = None
    callback_url: str = ""
    redrive_of: str = ""
    version: str = ""
    method: str = ""
    path: str = ""
    status_code: int = 0
    answer: Kept | None = None
    peak_bytes: int = 0
    duration_us: int = 0
    created_at: datetime
    started_at: datetime | None = None
    done_at: datetime | None = None

    @property
    def truncated(self) -> bool:
        """Whether output or log lines were left out."""
        return bool(self.warnings)
