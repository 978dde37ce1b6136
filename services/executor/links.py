"""What an execution needs of the world; `handlers.py` provides it."""

from typing import Protocol

from services.executor.mode import Artefact, Refusal
from shared.bus.messages import Answer, Dispatch, Finished, Retrying, Started
from shared.domain.function import Function


class Links(Protocol):
    """Bus and store, as an execution sees them."""

    async def load(self, dispatch: Dispatch) -> Artefact | Function | Refusal:
        """The compiled code, or the function's settings for a mode that runs no code. Raises Problem(unavailable)."""
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
