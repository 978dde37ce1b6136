"""What an execution needs of the world; `handlers.py` provides it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from services.executor.mode import Artefact, Host, Live, Refusal
from shared.bus.delivery import Last
from shared.bus.graveyard import DeadLetter
from shared.bus.messages import Begun, Cut, Dispatch, Finished, Retrying, Started
from shared.domain.function import Function
from shared.domain.invocation import End
from shared.domain.outcome import Outcome
from shared.domain.request import Request

Aside = Callable[[], AbstractAsyncContextManager[None]]
"""While it is entered, the call holds no slot."""


class Loaded(NamedTuple):
    """What a call is of: the function's settings, and its compiled code, `NO_CODE` for a mode that runs none."""

    function: Function
    artefact: Artefact


class Lost(NamedTuple):
    """A run that began, `started_at` in Unix seconds, and was never heard of again, with the executor that had it."""

    executor: str
    started_at: float


class Past(NamedTuple):
    """What is on record of a dispatch: whether it is `over`, and else which run of this attempt had begun, if any."""

    over: bool
    running: Lost | None = None


class Told(Live, Protocol):
    """What takes the lines of one run."""

    def end(self, total: int, *, whole: bool) -> None:
        """The run is over: it has written so many lines, as far as is known, and more where it is not `whole`."""
        ...


class Links(Protocol):
    """Bus and store, as an execution sees them."""

    async def load(self, dispatch: Dispatch) -> Loaded | Refusal:
        """Function and code. Raises Problem(unavailable)."""
        ...

    def host(self, dispatch: Dispatch, function: Function, *, aside: Aside, fresh: bool) -> Host:
        """What the call may ask of the platform while it runs; `fresh` unless it may have been run before."""
        ...

    def live(self, dispatch: Dispatch, *, started: float) -> Told | None:
        """What takes the lines of a run that begins, if anything does. It is to be told of its end."""
        ...

    def request(self, dispatch: Dispatch) -> Request | None:
        """The request of a dispatch with its secret headers opened. Raises SealBrokenError."""
        ...

    async def past(self, dispatch: Dispatch) -> Past:
        """What is on record: it is over with the end of this attempt, or of the task. Raises Problem(unavailable)."""
        ...

    async def begun(self, dispatch: Dispatch) -> Last[Begun] | None:
        """The last run of the task that was written down. Raises Problem(unavailable)."""
        ...

    async def begin(self, dispatch: Dispatch, mark: Begun, *, last: int) -> int:
        """Write a run down, where `last` is the sequence of the last one, 0 for none; the sequence of this one.

        Raises Problem(conflict) when another one was written meanwhile, Problem(unavailable).
        """
        ...

    async def queued(self, sequence: int) -> bool:
        """Whether this piece of work is still to be done, or being done. Raises Problem(unavailable)."""
        ...

    async def told(self, dispatch: Dispatch) -> bool:
        """Whether the bus has the end of this attempt, or of the task. Raises Problem(unavailable)."""
        ...

    async def cut(self, event: Cut) -> None:
        """Say durably that a run was cut. Raises Problem(unavailable)."""
        ...

    async def died(self, dispatch: Dispatch) -> Outcome | None:
        """How it ended, if its dead letter is kept already. Raises Problem(unavailable)."""
        ...

    async def bury(self, letter: DeadLetter) -> int:
        """Keep the dead letter of an invocation durably, once; its number. Raises Problem(unavailable)."""
        ...

    async def unbury(self, number: int) -> None:
        """Remove that letter, where that can be."""
        ...

    async def started(self, dispatch: Dispatch, event: Started) -> None:
        """Say that it runs."""
        ...

    async def postpone(self, dispatch: Dispatch, *, due_at: float, id: str) -> None:
        """Have it dispatched at that moment, durably, once for each id. Raises Problem(unavailable, too_large)."""
        ...

    async def requeue(self, dispatch: Dispatch, *, id: str) -> None:
        """Have it wait in its lane, which is another one now, once for each id. Raises Problem(unavailable)."""
        ...

    async def retrying(self, event: Retrying) -> None:
        """Say durably that an attempt failed, and another one is to come. Raises Problem(unavailable)."""
        ...

    async def report(self, finished: Finished, *, reply_to: str, told: Outcome) -> End:
        """Say durably that it ended, and tell who waits, if anybody does. Raises Problem(unavailable, too_large).

        Where it had another end before, that is the one that is told. The end that stands.
        """
        ...
