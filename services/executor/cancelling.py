"""Invocations that are not wanted any more: not begun here, and ended where they run."""

import asyncio
from typing import NamedTuple, Protocol

from shared import telemetry
from shared.bus.cancels import Cancels
from shared.bus.delivery import DONE, Delivery, Verdict
from shared.bus.messages import Dispatch
from shared.domain.outcome import Outcome, cancelled


class CutError(Exception):
    """What ran was cut. Nobody sees it but who takes part in it."""


class _Handled(NamedTuple):
    """A dispatch that is being handled by a task."""

    tenant: str
    task_id: str
    by: "asyncio.Task[object]"


class Executing(Protocol):
    """What is stood before: `execution.Execution`."""

    async def handle(self, delivery: Delivery[Dispatch]) -> Verdict:
        """Run one dispatch to its end."""
        ...

    async def end(self, delivery: Delivery[Dispatch], outcome: Outcome) -> None:
        """End it without a run."""
        ...


class Cuts:
    """What is under way in this process, and may be cut: all but what is being told as ended."""

    def __init__(self, cancels: Cancels) -> None:
        self.cancels = cancels
        self._handled: dict[asyncio.Task[object], _Handled] = {}
        self._cut: set[asyncio.Task[object]] = set()
        cancels.on_cancel(self._cancel)

    def __len__(self) -> int:
        return len(self._handled)

    def settling(self, task_id: str) -> None:
        """Its end is about to be told, by the task that runs now: it is too late to cut it."""
        task = asyncio.current_task()
        handled = self._handled.get(task) if task is not None else None
        if task is not None and handled is not None and handled.task_id == task_id:
            del self._handled[task]

    async def run(self, execution: Executing, delivery: Delivery[Dispatch]) -> Verdict:
        """The execution's verdict. Raises CutError where it was cut."""
        task: asyncio.Task[object] | None = asyncio.current_task()
        assert task is not None
        dispatch = delivery.body
        self._handled[task] = _Handled(dispatch.tenant, dispatch.task_id, task)
        try:
            return await execution.handle(delivery)
        except asyncio.CancelledError:
            if task not in self._cut:
                raise
            raise CutError from None
        finally:
            self._handled.pop(task, None)
            if task in self._cut:
                self._cut.discard(task)
                task.uncancel()

    def _cancel(self, tenant: str, task_id: str) -> None:
        """Rare, and so it looks at all: there is no index that every dispatch would have to keep."""
        for handled in [one for one in self._handled.values() if (one.tenant, one.task_id) == (tenant, task_id)]:
            del self._handled[handled.by]
            self._cut.add(handled.by)
            handled.by.cancel()


class Cancellable:
    """One pool's execution, without what is cancelled."""

    def __init__(self, execution: Executing, cuts: Cuts) -> None:
        self._execution = execution
        self._cuts = cuts

    async def handle(self, delivery: Delivery[Dispatch]) -> Verdict:
        """Run one dispatch to its end, or to where it is cancelled: then that is its end."""
        dispatch = delivery.body
        token = telemetry.about(telemetry.About(dispatch.task_id, dispatch.tenant, dispatch.function))
        try:
            return await self._handled(delivery, dispatch)
        finally:
            telemetry.no_more(token)

    async def _handled(self, delivery: Delivery[Dispatch], dispatch: Dispatch) -> Verdict:
        if dispatch.task_id not in self._cuts.cancels:
            try:
                return await self._cuts.run(self._execution, delivery)
            except CutError:
                pass
        by = await self._cuts.cancels.by(dispatch.tenant, dispatch.task_id)
        await self._execution.end(delivery, cancelled(by))
        return DONE
