"""Functions as bodies, field by field."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from services.api.dialects.rest.wire.versions import ActiveCode, VersionBrief
from shared.domain.function import ExecutionMode, MissedRuns, Overlap

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"\A[^\x00-\x1f\x7f]*\Z")]
Category = Annotated[str, Meta(max_length=100)]
Description = Annotated[str, Meta(max_length=10_000)]
Url = Annotated[str, Meta(max_length=2000)]
Cron = Annotated[str, Meta(max_length=200)]
Zone = Annotated[str, Meta(max_length=100)]


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
    schedule_timezone: Zone = "UTC"
    schedule_missed_runs: MissedRuns = "once"
    schedule_overlap: Overlap = "allow"


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
    schedule_timezone: Zone | UnsetType = UNSET
    schedule_missed_runs: MissedRuns | UnsetType = UNSET
    schedule_overlap: Overlap | UnsetType = UNSET


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
    schedule_timezone: str
    schedule_missed_runs: MissedRuns
    schedule_overlap: Overlap
    active_code: ActiveCode | None
    code_versions: list[VersionBrief]
    created_at: str
    updated_at: str
