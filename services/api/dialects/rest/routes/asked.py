"""What the handlers of this dialect are given: the request, its words, who sends it, and whom they speak to."""

from typing import Annotated, NamedTuple

from litestar.di import NamedDependency
from litestar.params import Parameter, SkipValidation

from services.api import reading
from services.api.core import functions, invocations
from services.api.core.aggregate import Aggregate
from services.api.core.apps import Apps
from services.api.core.callbacks import Callbacks
from services.api.core.cancelling import Cancelling
from services.api.core.dead_letters import DeadLetters
from services.api.core.event_sources import EventSources
from services.api.core.history import History
from services.api.core.logins import Logins
from services.api.core.pipelines import Pipelines
from services.api.core.queues import Queues
from services.api.core.schedules import Schedules
from services.api.core.tokens import Tokens
from services.api.core.users import Users
from services.api.core.versions import Versions
from services.api.dialects.rest.translate import pages
from services.api.dialects.rest.wire.pages import Page, Row
from services.api.rates import METER, Meter
from shared.domain.caller import Caller
from shared.domain.function import is_slug
from shared.domain.problem import Problem

Asked = reading.Asked
PAGE_SIZE, MAX_PAGE_SIZE = 20, 100


_MAX_SKIP = 10**9
_DIGITS = 19  # of the largest number that the store keeps


class Core(NamedTuple):
    """What the handlers speak to. `events_base` is where the world reaches the triggers, empty for where it asks."""

    functions: functions.Functions
    versions: Versions
    invocations: invocations.Invocations
    cancelling: Cancelling
    history: History
    schedules: Schedules
    users: Users
    tokens: Tokens
    apps: Apps
    logins: Logins
    aggregate: Aggregate
    pipelines: Pipelines
    event_sources: EventSources
    callbacks: Callbacks
    dead_letters: DeadLetters
    queues: Queues
    events_base: str


class Part(NamedTuple):
    """Which part of a list is wanted."""

    limit: int
    skip: int
    by_page: bool

    def page(self, count: int, rows: list[Row], request: Asked) -> Page[Row]:
        """The part with its surroundings. Raises Problem(not_found) for a page beyond the last."""
        if self.by_page and self.skip and self.skip >= count:
            raise Problem("not_found", "Invalid page.")
        return pages.page(count, rows, url=request.asked_url, limit=self.limit, skip=self.skip)


Size = Annotated[int | None, Parameter(ge=1, le=_MAX_SKIP)]
Whole = Annotated[int | None, Parameter(ge=0, le=_MAX_SKIP)]
Id = Annotated[int | None, Parameter(ge=0, le=2**63 - 1)]
Word = Annotated[str | None, Parameter(max_length=100, pattern=r"^[^\x00]*$")]
Within = NamedDependency[SkipValidation[Part]]


By = NamedDependency[SkipValidation[Caller]]
To = NamedDependency[SkipValidation[Core]]
Numbered = NamedDependency[SkipValidation[int]]


async def caller(request: Asked) -> Caller:
    """Who the guard found the request to come from."""
    return request.user


async def count_attempt(request: Asked, *, tenant: str, username: str) -> None:
    """One more attempt at the password of this user, from wherever. Raises Problem(rate_limited)."""
    meter: Meter | None = request.scope.get(METER)  # type: ignore[assignment]  # `Door` has put it there
    if meter is not None:
        await meter.spend_login(tenant, username.strip())


def an_app(slug: str | None) -> str | None:
    """The slug of an app, from the path or from the query. Raises Problem(not_found) for what cannot be one."""
    if slug is not None and not is_slug(slug):
        raise Problem("not_found", "Not found")
    return slug


async def number(id: str) -> int:
    """The number in the path: digits of ASCII only. Raises Problem(not_found)."""
    if not (id.isascii() and id.isdigit() and len(id) <= _DIGITS):
        raise Problem("not_found", "Not found")
    return int(id)


async def part(page: Size = None, page_size: Size = None, limit: Size = None, offset: Whole = None) -> Part:
    """The part that the query asks for, by page or by offset."""
    size = min(limit or page_size or PAGE_SIZE, MAX_PAGE_SIZE)
    if offset is not None or limit is not None:
        return Part(size, offset or 0, by_page=False)
    return Part(size, ((page or 1) - 1) * size, by_page=True)
