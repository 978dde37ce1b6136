"""The handlers of this dialect: a request's words to the core, and the core's answer back. `app.py` has their paths."""

import asyncio
from typing import Annotated, Any, NamedTuple

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import Parameter, SkipValidation

from services.api.core import functions, invocations
from services.api.core.versions import Versions
from services.api.dialects.rest import decode, translate, wire
from shared.domain.caller import Caller
from shared.domain.function import ExecutionMode
from shared.domain.invocation import TriggerType
from shared.domain.problem import Problem

DEFAULT_APP = "default"
PAGE_SIZE, MAX_PAGE_SIZE = 20, 100
EXECUTIONS, MAX_EXECUTIONS = 100, 1000
_MAX_SKIP = 10**9


class Core(NamedTuple):
    """What the handlers speak to."""

    functions: functions.Functions
    versions: Versions
    invocations: invocations.Invocations


class Asked(Request[Caller, Any, State]):
    """A request whose body is read and decoded by the same rules as everywhere in this dialect."""

    async def body(self) -> bytes:
        """The body as it came. Raises Problem(invalid) when it takes too long."""
        within_s: float = self.app.state.body_wait_s
        try:
            async with asyncio.timeout(within_s):
                return await super().body()
        except TimeoutError:
            raise decode.late(within_s) from None

    async def json(self) -> Any:
        """The body as plain data. Raises Problem(invalid)."""
        return decode.anything(await self.body())

    @property
    def asked_url(self) -> str:
        """The URL as it was asked for: the framework's own has lost its last slash."""
        path, query = self.scope["raw_path"].decode("latin-1"), self.scope["query_string"].decode("latin-1")
        return f"{self.url.scheme}://{self.url.netloc}{path}{'?' if query else ''}{query}"


class Part(NamedTuple):
    """Which part of a list is wanted."""

    limit: int
    skip: int
    by_page: bool

    def page(self, count: int, rows: list[wire.Row], request: Asked) -> wire.Page[wire.Row]:
        """The part with its surroundings. Raises Problem(not_found) for a page beyond the last."""
        if self.by_page and self.skip and self.skip >= count:
            raise Problem("not_found", "Invalid page.")
        return translate.page(count, rows, url=request.asked_url, limit=self.limit, skip=self.skip)


Size = Annotated[int | None, Parameter(ge=1, le=_MAX_SKIP)]
Whole = Annotated[int | None, Parameter(ge=0, le=_MAX_SKIP)]
Id = Annotated[int | None, Parameter(ge=0, le=2**63 - 1)]
Word = Annotated[str | None, Parameter(max_length=100, pattern=r"^[^\x00]*$")]
Within = NamedDependency[SkipValidation[Part]]
Filtered = NamedDependency[SkipValidation[functions.Wanted]]
By = NamedDependency[SkipValidation[Caller]]
To = NamedDependency[SkipValidation[Core]]


async def caller(request: Asked) -> Caller:
    """Who the guard found the request to come from."""
    return request.user


async def part(page: Size = None, page_size: Size = None, limit: Size = None, offset: Whole = None) -> Part:
    """The part that the query asks for, by page or by offset."""
    size = min(limit or page_size or PAGE_SIZE, MAX_PAGE_SIZE)
    if offset is not None or limit is not None:
        return Part(size, offset or 0, by_page=False)
    return Part(size, ((page or 1) - 1) * size, by_page=True)


async def wanted(
    *,
    app: str | None = None,
    execution_mode: ExecutionMode | None = None,
    category: Word = None,
    is_active: bool | None = None,
    schedule_enabled: bool | None = None,
    search: Word = None,
) -> functions.Wanted:
    """The functions that the path and the query ask for."""
    return functions.Wanted(
        app_slug=app,
        execution_mode=execution_mode,
        category=category,
        is_active=is_active,
        schedule_enabled=schedule_enabled,
        search=search,
    )


async def list_functions(
    request: Asked, *, core: To, caller: By, part: Within, wanted: Filtered, ordering: Word = None
) -> wire.Page[wire.FunctionRow]:
    """Functions of an app, or of all."""
    count, found = await core.functions.listed(
        caller, wanted, ordering=ordering or "", limit=part.limit, skip=part.skip
    )
    return part.page(count, [translate.function_row(function) for function in found], request)


async def create_function(*, core: To, caller: By, data: wire.CreateFunction, app: str = DEFAULT_APP) -> wire.Created:
    """A new function."""
    return translate.created(await core.functions.create(caller, translate.draft(app, data)))


async def show_function(*, core: To, caller: By, slug: str, app: str | None = None) -> wire.FunctionDetail:
    """One function."""
    return translate.detail(await core.functions.shown(caller, slug, app=app))


async def change_function(
    *, core: To, caller: By, slug: str, data: wire.PatchFunction, app: str | None = None
) -> wire.FunctionDetail:
    """Some of a function's settings."""
    settings = translate.settings(data)
    return translate.detail(await core.functions.change(caller, slug, settings, app=app))


async def delete_function(*, core: To, caller: By, slug: str, app: str | None = None) -> None:
    """A function and all that belongs to it."""
    await core.functions.delete(caller, slug, app=app)


async def upload_code(
    *, core: To, caller: By, slug: str, data: wire.UploadCode, app: str | None = None
) -> wire.Version:
    """A new version of a function's code."""
    return translate.version(await core.versions.upload(caller, slug, translate.upload(data), app=app))


async def edit_code(*, core: To, caller: By, slug: str, data: wire.PatchCode, app: str | None = None) -> wire.Version:
    """Other code for the active version."""
    return translate.version(await core.versions.edit(caller, slug, data.code, app=app))


async def list_code(
    request: Asked, *, core: To, caller: By, part: Within, function__slug: Word = None
) -> wire.Page[wire.VersionRow]:
    """Versions of a function, or of all."""
    count, found = await core.versions.listed(caller, function__slug, limit=part.limit, skip=part.skip)
    return part.page(count, [translate.version_row(shown) for shown in found], request)


async def activate_code(*, core: To, caller: By, id: int) -> wire.Version:
    """The version that is to run from now on."""
    return translate.version(await core.versions.activate(caller, id))


async def list_executions(
    *, core: To, caller: By, slug: str, app: str | None = None, limit: Size = None, offset: Whole = None
) -> wire.Executions:
    """A function's history, the newest first."""
    function = await core.functions.named(caller, slug, app=app)
    wanted = invocations.Wanted(function_id=function.id)
    size, skip = min(limit or EXECUTIONS, MAX_EXECUTIONS), offset or 0
    count, found = await core.invocations.listed(caller, wanted, limit=size, skip=skip)
    rows = [translate.invocation_row(invocation) for invocation in found]
    return wire.Executions(count=count, limit=size, offset=skip, results=rows)


async def show_result(*, core: To, caller: By, task_id: str) -> wire.TaskResult:
    """The result of a task."""
    return translate.task_result(await core.invocations.by_task(caller, task_id))


async def list_invocations(
    request: Asked,
    *,
    core: To,
    caller: By,
    part: Within,
    function_id: Id = None,
    function_slug: Word = None,
    trigger_type: TriggerType | None = None,
    user_id: Id = None,
) -> wire.Page[wire.InvocationRow]:
    """Invocations of all functions, the newest first."""
    wanted = invocations.Wanted(
        function_id=function_id, function_slug=function_slug, trigger_type=trigger_type, user_id=user_id
    )
    count, found = await core.invocations.listed(caller, wanted, limit=part.limit, skip=part.skip)
    return part.page(count, [translate.invocation_row(invocation) for invocation in found], request)


async def show_invocation(*, core: To, caller: By, id: int) -> wire.InvocationRow:
    """One invocation."""
    return translate.invocation_row(await core.invocations.by_id(caller, id))


async def show_invocation_result(*, core: To, caller: By, id: int) -> wire.InvocationResult:
    """One invocation's result."""
    return translate.invocation_result(await core.invocations.by_id(caller, id))


async def show_invocation_by_task(*, core: To, caller: By, task_id: str) -> wire.InvocationResult:
    """One invocation with its result, by its task."""
    return translate.invocation_and_result(await core.invocations.by_task(caller, task_id))
