"""What the platform does for a call while it runs: implements services.executor.mode.Host."""

from typing import NamedTuple

from services.executor.children import Children
from services.executor.claiming import Claiming
from services.executor.config import Executor
from services.executor.environment import Environments
from services.executor.invoking import Bounds, Invoking
from services.executor.links import Aside
from services.executor.mode import Person, Reach
from services.executor.publishing import Publishing
from services.executor.streaming import Streaming
from services.executor.valves import Valves
from shared import tracing
from shared.bus.messages import Dispatch
from shared.config import Platform
from shared.domain.function import Function
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem
from shared.domain.request import Request, Response
from shared.secrets import Keyring

_MOST_CLAIMS = 1000  # of one call


class Owned(NamedTuple):
    """What the hosts of all calls share."""

    reach: Reach
    environments: Environments
    children: Children
    claiming: Claiming
    publishing: Publishing
    valves: Valves
    bounds: Bounds


class Hosts:
    """Makes the host of each call."""

    def __init__(
        self,
        reach: Reach,
        keyring: Keyring,
        *,
        children: Children,
        valves: Valves,
        platform: Platform,
        executor: Executor,
    ) -> None:
        bounds = Bounds(
            most=executor.invokes,
            at_once=executor.invokes_at_once,
            depth=platform.max_depth,
            body_bytes=platform.params_bytes,
        )
        claiming = Claiming(reach.store, most=executor.claims)
        environments = Environments(reach.store, keyring, api_url=platform.api_url, cache_s=platform.cache_s)
        publishing = Publishing(reach.bus, most=executor.publishes, most_bytes=platform.publish_bytes)
        self._owned = Owned(reach, environments, children, claiming, publishing, valves, bounds)

    def of(self, dispatch: Dispatch, function: Function, *, aside: Aside, fresh: bool) -> "CallHost":
        """The host of one call, which is `fresh` unless it may have been run before."""
        return CallHost(self._owned, dispatch, function, aside=aside, fresh=fresh)


class CallHost:
    """One call's. Nothing that its handler says makes it another's."""

    def __init__(self, owned: Owned, dispatch: Dispatch, function: Function, *, aside: Aside, fresh: bool) -> None:
        self._owned = owned
        self._dispatch = dispatch
        self._function = function
        self._aside = aside
        self._fresh = fresh
        self._here = tracing.here()  # what the handler asks comes by another task
        self._claims = 0
        self._publishes = 0
        self._invoking: Invoking | None = None
        self._streaming: Streaming | None = None

    @property
    def answering(self) -> bool:
        """Whether a part was sent."""
        return self._streaming is not None and self._streaming.begun

    async def environment(self) -> dict[str, str]:
        """Its variables."""
        return await self._owned.environments.of(self._function)

    async def invoke(self, name: str, request: Request) -> Outcome:
        """Another function of the app."""
        if self._invoking is None:
            owned, dispatch = self._owned, self._dispatch
            functions = owned.reach.functions
            self._invoking = Invoking(owned.children, functions, dispatch, self._function, bounds=owned.bounds)
        with tracing.at(self._here):
            return await self._invoking.invoke(name, request, aside=self._aside, fresh=self._fresh)

    async def claim(self, key: str, *, scope: str, ttl_s: float) -> bool:
        """The first claim."""
        self._claims += 1
        if self._claims > _MOST_CLAIMS:
            raise Problem("rate_limited", f"A call may claim {_MOST_CLAIMS} keys")
        dispatch = self._dispatch
        claiming = self._owned.claiming
        return await claiming.claim(dispatch.tenant, dispatch.function_id, key, scope=scope, ttl_s=ttl_s)

    async def publish(self, channel: str, payload: bytes, *, event: str = "") -> None:
        """To a channel of its app."""
        self._publishes += 1
        await self._owned.publishing.publish(self._function, channel, payload, event=event, number=self._publishes)

    async def valves(self) -> bytes:
        """Those of its plugin."""
        return self._owned.valves.of(self._function)

    async def person(self) -> Person | None:
        """Its user."""
        return await self._owned.valves.person(self._dispatch, self._function)

    async def stream(self, data: bytes, *, head: Response | None = None) -> bool:
        """A part of the answer."""
        if self._streaming is None:
            dispatch = self._dispatch
            self._streaming = Streaming(
                self._owned.reach.bus,
                dispatch.reply_to,
                task_id=dispatch.task_id,
                within_s=dispatch.limits.timeout_s,
            )
        return await self._streaming.send(data, head)
