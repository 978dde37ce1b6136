"""Between functions and their bodies. Pure."""

from typing import Any

import msgspec

from services.api.core.functions import Detail, Draft
from services.api.dialects.rest.translate.stamps import stamp
from services.api.dialects.rest.translate.versions import active_code, version_brief
from services.api.dialects.rest.wire import functions as wire
from shared.domain.function import Function


def draft(app: str, body: wire.CreateFunction) -> Draft:
    """The function that a body describes."""
    settings = msgspec.structs.asdict(body)
    return Draft(app=app, name=settings.pop("name"), slug=settings.pop("slug"), settings=settings)


def settings(body: wire.PatchFunction) -> dict[str, Any]:
    """The settings that a body mentions."""
    return {field: value for field, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET}


def created(function: Function) -> wire.Created:
    """The answer to a creation."""
    return wire.Created(
        id=function.id,
        name=function.name,
        slug=function.slug,
        execution_mode=function.execution_mode,
        category=function.category,
        webhook_url=function.webhook_url,
        is_active=function.is_active,
        created_at=stamp(function.created_at),
    )


def function_row(function: Function) -> wire.FunctionRow:
    """A function in a list."""
    return wire.FunctionRow(
        id=function.id,
        name=function.name,
        slug=function.slug,
        environment=function.environment,
        execution_mode=function.execution_mode,
        category=function.category,
        is_active=function.is_active,
        schedule_enabled=function.schedule_enabled,
        app=function.app,
        app_name=function.app_name,
        created_at=stamp(function.created_at),
        updated_at=stamp(function.updated_at),
    )


def detail(shown: Detail) -> wire.FunctionDetail:
    """A function with everything."""
    function = shown.function
    active_id = function.active.id if function.active else 0
    return wire.FunctionDetail(
        id=function.id,
        name=function.name,
        slug=function.slug,
        environment=function.environment,
        execution_mode=function.execution_mode,
        category=function.category,
        description=function.description,
        app=function.app,
        app_name=function.app_name,
        is_active=function.is_active,
        webhook_url=function.webhook_url,
        auth_config=function.auth_config,
        headers=function.headers,
        config=function.config,
        schedule_enabled=function.schedule_enabled,
        cron_expression=function.cron_expression,
        schedule_params=function.schedule_params,
        schedule_timezone=function.schedule_timezone,
        schedule_missed_runs=function.schedule_missed_runs,
        schedule_overlap=function.schedule_overlap,
        active_code=None if shown.active is None else active_code(shown.active, shown.source),
        code_versions=[version_brief(version, is_active=version.id == active_id) for version in shown.versions],
        created_at=stamp(function.created_at),
        updated_at=stamp(function.updated_at),
    )
