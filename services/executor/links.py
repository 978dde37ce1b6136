"""What an execution needs of the world; `handlers.py` provides it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from services.executor.mode import Artefact, Host, Refusal
from shared.bus.messages import Answer, Dispatch, Finished, Retrying, Started
from shared.domain.function import Function
from shared.domain.request import Request

Aside = Callable[[], AbstractAsyncContextManager[None]]
"""While it is entered, the call holds no slot."""


class Loaded(NamedTuple):
    """What a call is of: the function's settings, and its compiled code, `NO_CODE` for a mode that runs none."""

    function: Function
    artefact: Artefact


class Links(Protocol):
    """Bus and store, as an execution sees them."""

    async def load(self, dispatch: Dispatch) -> Loaded | Refusal:
        """Function and code. Raises Problem(unavailable)."""
        ...

    def host(self, dispatch: Dispatch, function: Function, *, aside: Aside, fresh: bool) -> Host:
        """What the call may ask of the platform while it runs; `fresh` unless it may have been run before."""
        ...

    def request(self, dispatch: Dispatch) -> Request | None:
        """The request of a dispatch with its secret headers opened. Raises SealBrokenError."""
        ...

    async def passed(self, dispatch: Dispatch) -> bool:
        """Whether the end of this attempt, or of the task, is on record. Raises Problem(unavailable)."""
        ...

    async def answer(self, reply_to: str, answer: Answer) -> None:
        """Tell the waiting caller."""
        ...

    async def started(self, dispatch: Dispatch, event: Started) -> None:
        """Say that it runs."""
        ...

    async def postpone(self, dispatch: Dispatch, *, due_at: float, id: str) -> None:
        """Have it dispatched at that moment, durably, once for each id. Raises Problem(unavailable, too_large)."""
        ...

    async def retrying(self, event: Retrying) -> None:
        """Say durably that an attempt failed, and another one is to come. Raises Problem(unavailable)."""
        ...

    async def report(self, finished: Finished) -> None:
        """Say durably that it ended. Raises Problem(unavailable, too_large)."""
        ...
