"""Invocations: looked up. `services/api/routes.py` has the paths."""

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from services.api.core import invocations
from services.api.dialects.rest.openapi.answers import answers
from services.api.dialects.rest.routes.asked import Asked, By, Id, Numbered, Size, To, Whole, Within, Word, an_app
from services.api.dialects.rest.translate import invocations as translate
from services.api.dialects.rest.wire import invocations as wire
from services.api.dialects.rest.wire.pages import Page
from shared.domain.invocation import Status, TriggerType

EXECUTIONS, MAX_EXECUTIONS = 100, 1000
Sought = NamedDependency[SkipValidation[invocations.Wanted]]


async def list_executions(
    *, core: To, caller: By, slug: str, app: str | None = None, limit: Size = None, offset: Whole = None
) -> wire.Executions:
    """A function's history, the newest first."""
    if core.invocations.is_system(slug):
        wanted = invocations.Wanted(function_slug=slug)
    else:
        wanted = invocations.Wanted(function_id=(await core.functions.seen(caller, slug, app=app)).id)
    size, skip = min(limit or EXECUTIONS, MAX_EXECUTIONS), offset or 0
    count, found = await core.invocations.listed(caller, wanted, limit=size, skip=skip)
    rows = [translate.invocation_row(invocation) for invocation in found]
    return wire.Executions(count=count, limit=size, offset=skip, results=rows)


async def show_result(*, core: To, caller: By, task_id: str, app: str | None = None) -> wire.TaskResult:
    """The result of a task."""
    return translate.task_result(await core.invocations.by_task(caller, task_id, app=app))


async def sought(
    *,
    app: str | None = None,
    function_id: Id = None,
    function_slug: Word = None,
    trigger_type: TriggerType | None = None,
    user_id: Id = None,
    status: Status | None = None,
    parent: Word = None,
) -> invocations.Wanted:
    """The invocations that the path and the query ask for. Raises Problem(not_found)."""
    return invocations.Wanted(
        function_id=function_id,
        function_slug=function_slug,
        app_slug=an_app(app),
        trigger_type=trigger_type,
        user_id=user_id,
        status=status,
        parent_task_id=parent,
    )


async def list_invocations(
    request: Asked, *, core: To, caller: By, part: Within, sought: Sought
) -> Page[wire.InvocationRow]:
    """Invocations of all functions, or of an app's, the newest first."""
    count, found = await core.invocations.listed(caller, sought, limit=part.limit, skip=part.skip)
    return part.page(count, [translate.invocation_row(invocation) for invocation in found], request)


async def show_invocation(*, core: To, caller: By, number: Numbered, app: str | None = None) -> wire.InvocationRow:
    """One invocation."""
    return translate.invocation_row(await core.invocations.by_id(caller, number, app=app))


async def show_invocation_result(
    *, core: To, caller: By, number: Numbered, app: str | None = None
) -> wire.InvocationResult:
    """One invocation's result."""
    return translate.invocation_result(await core.invocations.by_id(caller, number, app=app))


async def show_invocation_by_task(
    *, core: To, caller: By, task_id: str, app: str | None = None
) -> wire.InvocationAndResult:
    """One invocation with its result, by its task."""
    return translate.invocation_and_result(await core.invocations.by_task(caller, task_id, app=app))


@answers("conflict")
async def cancel_invocation(*, core: To, caller: By, number: Numbered, app: str | None = None) -> wire.InvocationRow:
    """Cancel an invocation that has not ended, and what it has called.

    It is CANCELLED when this is answered, and again when it was before. One that has ended otherwise is a conflict.
    """
    return translate.invocation_row(await core.cancelling.by_id(caller, number, app=app))


@answers("conflict")
async def cancel_task(*, core: To, caller: By, task_id: str, app: str | None = None) -> wire.InvocationRow:
    """Cancel an invocation by its task.

    See `POST /api/invocations/{id}/cancel/`.
    """
    return translate.invocation_row(await core.cancelling.by_task(caller, task_id, app=app))


@answers("conflict")
async def withdraw_invocation(*, core: To, caller: By, number: Numbered, app: str | None = None) -> wire.InvocationRow:
    """Cancel an invocation, as `cancel` does; its record stays."""
    return await cancel_invocation(core=core, caller=caller, number=number, app=app)


@answers("conflict")
async def withdraw_task(*, core: To, caller: By, task_id: str, app: str | None = None) -> wire.InvocationRow:
    """Cancel an invocation by its task, as `cancel` does; its record stays."""
    return await cancel_task(core=core, caller=caller, task_id=task_id, app=app)
