"""Calls and invocations as bodies, field by field."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.domain.callback import MAX_EXPIRES_IN_S, MAX_URL
from shared.domain.invocation import Status, TriggerType
from shared.domain.outcome import LogLevel
from shared.domain.retry import ErrorClass

_EXPIRES_IN = {"exclusiveMinimum": 0, "maximum": MAX_EXPIRES_IN_S}
NO_PARAMS = msgspec.Raw(b"{}")


class Execute(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a call. `params` stays JSON text.

    How it ended is posted to `callback_url`. What is not started within `expires_in` seconds is not run any more.
    """

    params: Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})] = msgspec.field(
        default_factory=lambda: NO_PARAMS
    )
    respond_async: bool = msgspec.field(name="async", default=False)
    callback_url: Annotated[str, Meta(extra_json_schema={"format": "uri", "maxLength": MAX_URL})] | None = None
    expires_in: Annotated[float, Meta(extra_json_schema=_EXPIRES_IN)] | None = None


class InvocationBrief(msgspec.Struct, frozen=True, kw_only=True):
    """The invocation in the answer of a call."""

    id: int
    function_name: str
    celery_task_id: str
    trigger_type: TriggerType
    created_at: str


class InvocationName(msgspec.Struct, frozen=True, kw_only=True):
    """The invocation beside its result."""

    id: int
    function_name: str
    celery_task_id: str
    trigger_type: TriggerType


class InvocationRow(msgspec.Struct, frozen=True, kw_only=True):
    """An invocation in a list, and alone. `parent_task_id` is the one that made it, where one did."""

    id: int
    function_name: str
    celery_task_id: str
    task_status: Status
    user_username: str | None
    trigger_type: TriggerType
    parent_task_id: str | UnsetType = UNSET
    created_at: str


class LogRow(msgspec.Struct, frozen=True):
    """A line that the function logged."""

    timestamp: str
    level: LogLevel
    message: str
    data: msgspec.Raw


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What a successful call returned and printed."""

    result: msgspec.Raw
    stdout: str
    stderr: str
    logs: list[LogRow] | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET
    success: bool = True


class Executed(msgspec.Struct, frozen=True, kw_only=True):
    """A call that succeeded. `data` is the bare result, as the client libraries read it."""

    task_id: str
    status: Status = "SUCCESS"
    result: Output
    data: msgspec.Raw
    invocation: InvocationBrief


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """A call that failed. `response` is what there was all the same: a webhook's answer, a pipeline's steps."""

    error: str
    message: str
    detail: str
    task_id: str
    status: Status = "FAILURE"
    result: str
    response: msgspec.Raw | UnsetType = UNSET
    traceback: str
    invocation: InvocationBrief


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is accepted, and not done yet."""

    task_id: str
    status: Status = "PENDING"
    result: None = None
    invocation: InvocationBrief


class TryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A try before the last one: `error_class` is timeout, error or infrastructure, `error` what it ended with.

    `next_at` is when the next one was due, null where it was made at once. Of one that was cut, because its executor
    died, `ended_at` is when that was found out.
    """

    attempt: int
    started_at: str | None
    ended_at: str | None
    error_class: ErrorClass
    error: str
    next_at: str | None


class TaskResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a task: an Output, the message of the error, or null; before another attempt, the last error."""

    task_id: str
    status: Status
    result: Output | str | None
    response: msgspec.Raw | UnsetType = UNSET
    attempts: int | UnsetType = UNSET
    tries: list[TryRow] | UnsetType = UNSET
    traceback: str | None
    date_created: str
    date_done: str | None


class BareResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an invocation without its wrapping, what it printed beside it.

    `attempts` counts the tries that have ended, `tries` are those that another followed, or was to follow, and runs
    that were cut. Both are absent where there was one run alone.
    """

    task_id: str
    status: Status
    result: msgspec.Raw
    stdout: str
    stderr: str
    logs: list[LogRow] | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET
    response: msgspec.Raw | UnsetType = UNSET
    attempts: int | UnsetType = UNSET
    tries: list[TryRow] | UnsetType = UNSET
    success: bool
    traceback: str | None
    date_done: str | None


class InvocationResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an invocation that was asked for by its number."""

    invocation: InvocationName
    task_result: BareResult


class InvocationAndResult(msgspec.Struct, frozen=True, kw_only=True):
    """An invocation that was asked for by its task, and its result."""

    invocation: InvocationRow
    task_result: BareResult


class Executions(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a function's history."""

    count: int
    limit: int
    offset: int
    results: list[InvocationRow]
