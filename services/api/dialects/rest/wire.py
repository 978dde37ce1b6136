"""Every body of this dialect, field by field."""

from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.domain.function import ExecutionMode
from shared.domain.invocation import Status, TriggerType
from shared.domain.outcome import LogLevel

Row = TypeVar("Row")

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
Category = Annotated[str, Meta(max_length=100)]
Description = Annotated[str, Meta(max_length=10_000)]
Url = Annotated[str, Meta(max_length=2000)]
Cron = Annotated[str, Meta(max_length=200)]
Code = Annotated[str, Meta(min_length=1)]


class CreateFunction(msgspec.Struct, frozen=True, kw_only=True):
    """Body of the creation of a function."""

    name: Name
    slug: str = ""
    execution_mode: ExecutionMode = "app"
    environment: str = "python"
    category: Category = ""
    description: Description = ""
    webhook_url: Url = ""
    auth_config: dict[str, Any] = {}
    headers: dict[str, str] = {}
    config: dict[str, Any] = {}
    is_active: bool = True
    schedule_enabled: bool = False
    cron_expression: Cron = ""
    schedule_params: dict[str, Any] = {}


class PatchFunction(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a change of a function: what is absent stays."""

    name: Name | UnsetType = UNSET
    slug: str | UnsetType = UNSET
    execution_mode: ExecutionMode | UnsetType = UNSET
    environment: str | UnsetType = UNSET
    category: Category | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    webhook_url: Url | UnsetType = UNSET
    auth_config: dict[str, Any] | UnsetType = UNSET
    headers: dict[str, str] | UnsetType = UNSET
    config: dict[str, Any] | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    schedule_enabled: bool | UnsetType = UNSET
    cron_expression: Cron | UnsetType = UNSET
    schedule_params: dict[str, Any] | UnsetType = UNSET


class UploadCode(msgspec.Struct, frozen=True, kw_only=True):
    """Body of an upload of code. Without `is_active`, the first version becomes active and later ones do not."""

    version: Annotated[str, Meta(min_length=1, max_length=50)]
    code: Code
    is_active: bool | None = None


class PatchCode(msgspec.Struct, frozen=True, kw_only=True):
    """Body of an edit of the active version."""

    code: Code


class Execute(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a call. `params` stays JSON text."""

    params: msgspec.Raw = msgspec.Raw(b"{}")
    respond_async: bool = msgspec.field(name="async", default=False)


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """A function just made."""

    id: int
    name: str
    slug: str
    execution_mode: ExecutionMode
    category: str
    webhook_url: str
    is_active: bool
    created_at: str


class FunctionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A function in a list."""

    id: int
    name: str
    slug: str
    environment: str
    execution_mode: ExecutionMode
    category: str
    is_active: bool
    schedule_enabled: bool
    app: int
    app_name: str
    created_at: str
    updated_at: str


class ActiveCode(msgspec.Struct, frozen=True, kw_only=True):
    """The version that runs."""

    id: int
    version: str
    code: str
    is_active: bool
    created_at: str
    created_by: int
    created_by_username: str


class VersionBrief(msgspec.Struct, frozen=True, kw_only=True):
    """A version in its function."""

    id: int
    version: str
    is_active: bool
    created_at: str


class FunctionDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A function with everything."""

    id: int
    name: str
    slug: str
    environment: str
    execution_mode: ExecutionMode
    category: str
    description: str
    app: int
    app_name: str
    is_active: bool
    webhook_url: str
    auth_config: dict[str, Any]
    headers: dict[str, str]
    config: dict[str, Any]
    schedule_enabled: bool
    cron_expression: str
    schedule_params: dict[str, Any]
    active_code: ActiveCode | None
    code_versions: list[VersionBrief]
    created_at: str
    updated_at: str


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """A version with its code."""

    id: int
    function: int
    version: str
    code: str
    is_active: bool
    created_at: str
    created_by: int
    created_by_username: str


class VersionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A version in a list."""

    id: int
    function: int
    version: str
    is_active: bool
    created_at: str
    created_by_username: str


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
    """An invocation in a list, and alone."""

    id: int
    function_name: str
    celery_task_id: str
    task_status: Status
    user_username: str | None
    trigger_type: TriggerType
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
    """A call that failed."""

    error: str
    message: str
    detail: str
    task_id: str
    status: Status = "FAILURE"
    result: str
    traceback: str
    invocation: InvocationBrief


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is accepted, and not done yet."""

    task_id: str
    status: Status = "PENDING"
    result: None = None
    invocation: InvocationBrief


class TaskResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a task: an Output, the message of the error, or null."""

    task_id: str
    status: Status
    result: Output | str | None
    traceback: str | None
    date_created: str
    date_done: str | None


class BareResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an invocation without its wrapping, what it printed beside it."""

    task_id: str
    status: Status
    result: msgspec.Raw
    stdout: str
    stderr: str
    logs: list[LogRow] | UnsetType = UNSET
    truncated: bool | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET
    success: bool
    traceback: str | None
    date_done: str | None


class InvocationResult(msgspec.Struct, frozen=True, kw_only=True):
    """An invocation and its result."""

    invocation: InvocationName | InvocationRow
    task_result: BareResult


class Page(msgspec.Struct, Generic[Row], frozen=True, kw_only=True):
    """A part of a list. `next` and `previous` are URLs."""

    count: int
    next: str | None
    previous: str | None
    results: list[Row]


class Executions(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a function's history."""

    count: int
    limit: int
    offset: int
    results: list[InvocationRow]


class Error(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every error: the same sentence under the three names that clients look for."""

    error: str
    message: str
    detail: str
    details: dict[str, list[str]] | UnsetType = UNSET
