"""Between the core's values and this dialect's bodies. Pure."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from services.api.core.functions import Detail, Draft
from services.api.core.invocations import Ticket
from services.api.core.versions import Shown, Upload
from services.api.dialects.rest import wire
from shared.domain.function import Function
from shared.domain.invocation import FINAL, Invocation
from shared.domain.outcome import LogLine, Outcome
from shared.domain.version import CodeVersion


def stamp(at: datetime) -> str:
    """A UTC time as this dialect writes it, to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def draft(app: str, body: wire.CreateFunction) -> Draft:
    """The function that a body describes."""
    settings = msgspec.structs.asdict(body)
    return Draft(app=app, name=settings.pop("name"), slug=settings.pop("slug"), settings=settings)


def settings(body: wire.PatchFunction) -> dict[str, Any]:
    """The settings that a body mentions."""
    return {field: value for field, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET}


def upload(body: wire.UploadCode) -> Upload:
    """The version that a body describes."""
    return Upload(version=body.version, code=body.code, is_active=body.is_active)


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
        active_code=None if shown.active is None else _active_code(shown.active, shown.source),
        code_versions=[_version_brief(version, is_active=version.id == active_id) for version in shown.versions],
        created_at=stamp(function.created_at),
        updated_at=stamp(function.updated_at),
    )


def version(shown: Shown) -> wire.Version:
    """A version with its code."""
    one = shown.version
    return wire.Version(
        id=one.id,
        function=one.function_id,
        version=one.version,
        code=shown.source,
        is_active=shown.is_active,
        created_at=stamp(one.created_at),
        created_by=one.created_by,
        created_by_username=one.created_by_username,
    )


def version_row(shown: Shown) -> wire.VersionRow:
    """A version in a list."""
    return wire.VersionRow(
        id=shown.version.id,
        function=shown.version.function_id,
        version=shown.version.version,
        is_active=shown.is_active,
        created_at=stamp(shown.version.created_at),
        created_by_username=shown.version.created_by_username,
    )


def executed(ticket: Ticket, outcome: Outcome | None) -> tuple[int, msgspec.Struct]:
    """Status and body of the answer to a call."""
    task_id, invocation = ticket.accepted.task_id, _invocation_brief(ticket)
    if outcome is None:
        return 202, wire.Pending(task_id=task_id, invocation=invocation)
    if outcome.status == "SUCCESS":
        output = _output(outcome, outcome.result)
        return 200, wire.Executed(task_id=task_id, result=output, data=outcome.result, invocation=invocation)
    sentence = f"Function execution failed: {outcome.message}"
    return 500, wire.Failed(
        error=sentence,
        message=sentence,
        detail=sentence,
        task_id=task_id,
        result=outcome.message,
        traceback=outcome.traceback,
        invocation=invocation,
    )


def invocation_row(invocation: Invocation) -> wire.InvocationRow:
    """An invocation in a list, and alone."""
    return wire.InvocationRow(
        id=invocation.id,
        function_name=invocation.function_name,
        celery_task_id=invocation.task_id,
        task_status=invocation.status,
        user_username=invocation.user_username,
        trigger_type=invocation.trigger_type,
        created_at=stamp(invocation.created_at),
    )


def task_result(invocation: Invocation) -> wire.TaskResult:
    """The result of a task, wrapped as the answer to its call was."""
    result: wire.Output | str | None = None
    if invocation.status == "SUCCESS":
        result = _output(invocation, msgspec.Raw(invocation.result.encode()))
    elif invocation.status == "FAILURE":
        result = _message(invocation)
    return wire.TaskResult(
        task_id=invocation.task_id,
        status=invocation.status,
        result=result,
        traceback=invocation.traceback or None,
        date_created=stamp(invocation.created_at),
        date_done=_done_at(invocation),
    )


def invocation_result(invocation: Invocation) -> wire.InvocationResult:
    """An invocation and its bare result."""
    name = wire.InvocationName(
        id=invocation.id,
        function_name=invocation.function_name,
        celery_task_id=invocation.task_id,
        trigger_type=invocation.trigger_type,
    )
    return wire.InvocationResult(invocation=name, task_result=_bare_result(invocation))


def invocation_and_result(invocation: Invocation) -> wire.InvocationResult:
    """An invocation with its status, and its bare result."""
    return wire.InvocationResult(invocation=invocation_row(invocation), task_result=_bare_result(invocation))


def page(count: int, results: list[wire.Row], *, url: str, limit: int, skip: int) -> wire.Page[wire.Row]:
    """A part of a list, with the URLs of the parts beside it in the words in which this one was asked for."""
    onward = skip + limit if skip + limit < count else None
    back = max(skip - limit, 0) if skip > 0 else None
    return wire.Page(
        count=count,
        next=None if onward is None else _turned(url, limit=limit, skip=onward),
        previous=None if back is None else _turned(url, limit=limit, skip=back),
        results=results,
    )


def _turned(url: str, *, limit: int, skip: int) -> str:
    path, _, query = url.partition("?")
    asked: Sequence[tuple[str, str]] = parse_qsl(query, keep_blank_values=True)
    by_offset = any(name in ("limit", "offset") for name, _ in asked)
    name, value = ("offset", skip) if by_offset else ("page", skip // limit + 1)
    kept = [(key, text) for key, text in asked if key != name]
    turned = [*kept, (name, str(value))] if skip else kept
    return f"{path}?{urlencode(turned)}" if turned else path


def _active_code(version: CodeVersion, source: str) -> wire.ActiveCode:
    return wire.ActiveCode(
        id=version.id,
        version=version.version,
        code=source,
        is_active=True,
        created_at=stamp(version.created_at),
        created_by=version.created_by,
        created_by_username=version.created_by_username,
    )


def _version_brief(version: CodeVersion, *, is_active: bool) -> wire.VersionBrief:
    return wire.VersionBrief(
        id=version.id, version=version.version, is_active=is_active, created_at=stamp(version.created_at)
    )


def _invocation_brief(ticket: Ticket) -> wire.InvocationBrief:
    return wire.InvocationBrief(
        id=ticket.accepted.id,
        function_name=ticket.function.name,
        celery_task_id=ticket.accepted.task_id,
        trigger_type="api",
        created_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ticket.accepted.accepted_at)),
    )


def _bare_result(invocation: Invocation) -> wire.BareResult:
    failed = invocation.status == "FAILURE"
    result = msgspec.json.encode(_message(invocation)) if failed else invocation.result.encode()
    return wire.BareResult(
        task_id=invocation.task_id,
        status=invocation.status,
        result=msgspec.Raw(result if invocation.status in FINAL else b"null"),
        stdout=invocation.stdout,
        stderr=invocation.stderr,
        logs=_log_rows(msgspec.json.decode(invocation.logs, type=list[LogLine])),
        truncated=invocation.truncated or msgspec.UNSET,
        warnings=invocation.warnings or msgspec.UNSET,
        success=invocation.status == "SUCCESS",
        traceback=invocation.traceback or None,
        date_done=_done_at(invocation),
    )


def _output(source: Outcome | Invocation, result: msgspec.Raw) -> wire.Output:
    logs = source.logs if isinstance(source, Outcome) else msgspec.json.decode(source.logs, type=list[LogLine])
    return wire.Output(
        result=result,
        stdout=source.stdout,
        stderr=source.stderr,
        logs=_log_rows(logs),
        truncated=source.truncated or msgspec.UNSET,
        warnings=source.warnings or msgspec.UNSET,
    )


def _log_rows(lines: list[LogLine]) -> list[wire.LogRow] | msgspec.UnsetType:
    rows = [
        wire.LogRow(stamp(datetime.fromtimestamp(line.at, UTC)), line.level, line.message, line.data) for line in lines
    ]
    return rows or msgspec.UNSET


def _message(invocation: Invocation) -> str:
    return f"{invocation.error_type}: {invocation.error}"


def _done_at(invocation: Invocation) -> str | None:
    return None if invocation.done_at is None else stamp(invocation.done_at)
