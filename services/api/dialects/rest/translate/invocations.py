"""Between invocations and their bodies. Pure."""

import time
from datetime import UTC, datetime

import msgspec

from services.api.core.invocations import Ticket
from services.api.dialects.rest.translate.stamps import stamp
from services.api.dialects.rest.wire import invocations as wire
from shared.domain.invocation import FINAL, Invocation
from shared.domain.outcome import LogLine, Outcome


def executed(ticket: Ticket, outcome: Outcome | None) -> tuple[int, msgspec.Struct]:
    """Status and body of the answer to a call."""
    task_id, invocation = ticket.accepted.task_id, _invocation_brief(ticket)
    if outcome is None:
        return 202, wire.Pending(task_id=task_id, invocation=invocation)
    if outcome.status == "SUCCESS":
        output = _output(outcome, outcome.result)
        return 200, wire.Executed(task_id=task_id, result=output, data=outcome.result, invocation=invocation)
    sentence = f"Function execution failed: {outcome.message}"
    status_code = 500 if outcome.status == "FAILURE" else outcome.status_code
    return status_code, wire.Failed(
        error=sentence,
        message=sentence,
        detail=sentence,
        task_id=task_id,
        status=outcome.status,
        result=outcome.message,
        response=_response(bytes(outcome.result)),
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
        parent_task_id=invocation.parent_task_id or msgspec.UNSET,
        created_at=stamp(invocation.created_at),
    )


def task_result(invocation: Invocation) -> wire.TaskResult:
    """The result of a task, wrapped as the answer to its call was."""
    result: wire.Output | str | None = None
    if invocation.status == "SUCCESS":
        result = _output(invocation, msgspec.Raw(invocation.result.encode()))
    elif invocation.status in FINAL:
        result = _message(invocation)
    elif invocation.status == "RETRY":
        result = invocation.last_error
    return wire.TaskResult(
        task_id=invocation.task_id,
        status=invocation.status,
        result=result,
        response=_response(invocation.result.encode()) if _ended_badly(invocation) else msgspec.UNSET,
        attempts=_attempts(invocation),
        tries=_tries(invocation),
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


def invocation_and_result(invocation: Invocation) -> wire.InvocationAndResult:
    """An invocation with its status, and its bare result."""
    return wire.InvocationAndResult(invocation=invocation_row(invocation), task_result=_bare_result(invocation))


def _invocation_brief(ticket: Ticket) -> wire.InvocationBrief:
    return wire.InvocationBrief(
        id=ticket.accepted.id,
        function_name=ticket.function.name,
        celery_task_id=ticket.accepted.task_id,
        trigger_type="api",
        created_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ticket.accepted.accepted_at)),
    )


def _bare_result(invocation: Invocation) -> wire.BareResult:
    failed = _ended_badly(invocation)
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
        response=_response(invocation.result.encode()) if failed else msgspec.UNSET,
        attempts=_attempts(invocation),
        tries=_tries(invocation),
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


def _response(result: bytes) -> msgspec.Raw | msgspec.UnsetType:
    """What a failed call brought back, if it did."""
    return msgspec.UNSET if result == b"null" else msgspec.Raw(result)


def _attempts(invocation: Invocation) -> int | msgspec.UnsetType:
    """Wherever there are `tries`, too: a run that was cut, or one whose next was cancelled, is told by both."""
    repeated = invocation.attempts > 1 or invocation.status == "RETRY" or bool(invocation.tries)
    return invocation.attempts if repeated else msgspec.UNSET


def _tries(invocation: Invocation) -> list[wire.TryRow] | msgspec.UnsetType:
    tries = sorted(invocation.tries.values(), key=lambda one: (one.attempt, one.started_at or invocation.created_at))
    rows = [
        wire.TryRow(
            attempt=one.attempt,
            started_at=_stamp(one.started_at),
            ended_at=_stamp(one.done_at),
            error_class=one.error_class,
            error=one.error,
            next_at=_stamp(one.due_at),
        )
        for one in tries
    ]
    return rows or msgspec.UNSET


def _ended_badly(invocation: Invocation) -> bool:
    return invocation.status in FINAL and invocation.status != "SUCCESS"


def _message(invocation: Invocation) -> str:
    return f"{invocation.error_type}: {invocation.error}"


def _done_at(invocation: Invocation) -> str | None:
    return _stamp(invocation.done_at)


def _stamp(moment: datetime | None) -> str | None:
    return None if moment is None else stamp(moment)
