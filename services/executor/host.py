"""What the platform does for a call while it runs: implements services.executor.mode.Host."""

from services.executor.links import Aside
from services.executor.mode import Reach, Unavailable
from services.executor.streaming import Streaming
from shared.bus.messages import Dispatch
from shared.domain.function import Function
from shared.domain.outcome import Outcome, failure
from shared.domain.problem import Problem
from shared.domain.request import Request, Response
from shared.secrets import Keyring


class Hosts:
    """Makes the host of each call."""

    def __init__(self, reach: Reach, keyring: Keyring) -> None:
        self._reach = reach
        self._keyring = keyring

    def of(self, dispatch: Dispatch, function: Function, *, aside: Aside) -> "CallHost":
        """The host of one call."""
        return CallHost(self._reach, self._keyring, dispatch, function, aside=aside)


class CallHost:
    """One call's. Nothing that its handler says makes it another's."""

    def __init__(self, reach: Reach, keyring: Keyring, dispatch: Dispatch, function: Function, *, aside: Aside) -> None:
        self._reach = reach
        self._keyring = keyring
        self._dispatch = dispatch
        self._function = function
        self._aside = aside
        self._streaming = Streaming(
            reach.bus, dispatch.reply_to, task_id=dispatch.task_id, within_s=dispatch.limits.timeout_s
        )

    async def environment(self) -> dict[str, str]:
        """Its variables."""
        if self._function.env:
            raise Unavailable("environment variables cannot be opened yet")
        return {}

    async def invoke(self, name: str, request: Request) -> Outcome:
        """Another function of the app."""
        return failure("NotSupported", f"{name} {request.method}: functions cannot call each other yet")

    async def claim(self, key: str, *, scope: str, ttl_s: float) -> bool:
        """The first claim."""
        raise Problem("unavailable", f"{scope}/{key} {ttl_s}: claims are not kept yet")

    async def stream(self, data: bytes, *, head: Response | None = None) -> bool:
        """A part of the answer."""
        return await self._streaming.send(data, head)
