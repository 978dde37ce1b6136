"""The other door: ends an invocation that is not wanted any more, wherever it is.

First the word goes to whoever has it or gets it (CANCELS), then its end is stored. Of several ends the first one
counts, for everybody: who comes too late is told how it has ended.
"""

import time
from datetime import UTC, datetime

import msgspec

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.delivery import Delivery
from shared.bus.held_back import withdraw
from shared.bus.lookup import end_at
from shared.bus.messages import Answer, Finished, Invoke
from shared.bus.notices import Cancelling
from shared.domain.caller import User
from shared.domain.invocation import Invocation, Timeline
from shared.domain.outcome import Outcome
from shared.domain.request import MAX_PATH


class Concluded(msgspec.Struct, frozen=True):
    """How an invocation has ended: by `outcome`, None where it had ended before and nobody knows any more how.

    It `is_new` where it had not ended before. `withdrawn` counts what was held back of it, and does not come any more.
    """

    outcome: Outcome | None
    is_new: bool
    withdrawn: int = 0

    @property
    def is_cancelled(self) -> bool:
        """Whether it has ended as it was to."""
        return self.outcome is not None and self.outcome.status == "CANCELLED"


async def cancel(bus: Bus, end: Finished, *, by: str, reply_to: str) -> Concluded:
    """End it, with `end` unless it has another one by now, and tell who waits for it. Again, it changes nothing.

    Raises Problem(unavailable): then it is to be done again.
    """
    word = Cancelling(task_id=end.task_id, tenant=end.tenant, by=by, at=time.time())
    await bus.store(subjects.cancel(end.tenant, end.task_id), word, id=f"{end.task_id}.cancel")
    concluded = await conclude(bus, end, reply_to=reply_to)
    if not concluded.is_cancelled:
        return concluded
    withdrawn = await withdraw(bus, end.tenant, end.task_id)
    return msgspec.structs.replace(concluded, withdrawn=withdrawn)


async def conclude(bus: Bus, end: Finished, *, reply_to: str) -> Concluded:
    """Store an end, if there is none yet, and tell who waits how it has ended. Raises Problem(unavailable)."""
    subject = subjects.event(end.tenant, end.function, "finished")
    stored = await bus.store(subject, end, id=f"{end.task_id}.finished")
    standing = await end_at(bus, stored.sequence) if stored.duplicate else end
    outcome = None if standing is None else standing.outcome
    if reply_to and outcome is not None:
        await bus.send(reply_to, Answer(task_id=end.task_id, outcome=outcome, settled=True))
    return Concluded(outcome, is_new=not stored.duplicate)


def end_of(command: Delivery[Invoke], outcome: Outcome, *, record: Invocation | None = None) -> Finished:
    """The end of what somebody asked for. How far it has come is known from the record, where there is one."""
    body, request = command.body, command.body.request
    return Finished(
        id=command.sequence,
        task_id=body.task_id,
        tenant=body.tenant,
        function=body.function,
        function_id=body.function_id,
        function_name=body.function_name,
        version=record.version if record is not None else "",
        trigger_type=body.trigger_type,
        user=body.user,
        timeline=_timeline(body.accepted_at, record),
        delivery=1,
        executor="",
        outcome=outcome,
        attempt=_attempt(record),
        method=request.method if request else "",
        path=request.path[:MAX_PATH] if request else "",
        callback_url=body.callback_url,
        mode=body.mode,
    )


def end_of_record(record: Invocation, outcome: Outcome) -> Finished:
    """The same for one whose command is not kept any more."""
    user = User(record.user_id, record.user_username or "", "") if record.user_id is not None else None
    return Finished(
        id=record.id,
        task_id=record.task_id,
        tenant=record.tenant,
        function=record.function_slug,
        function_id=record.function_id,
        function_name=record.function_name,
        version=record.version,
        trigger_type=record.trigger_type,
        user=user,
        timeline=_timeline(record.created_at.timestamp(), record),
        delivery=1,
        executor="",
        outcome=outcome,
        attempt=_attempt(record),
        method=record.method,
        path=record.path,
        callback_url=record.callback_url,
    )


def ended(record: Invocation, outcome: Outcome) -> Invocation:
    """The record as it will be with this end."""
    return msgspec.structs.replace(
        record,
        status=outcome.status,
        error_type=outcome.error_type,
        error=outcome.error,
        done_at=datetime.now(UTC),
    )


def _timeline(accepted: float, record: Invocation | None) -> Timeline:
    started = record.started_at.timestamp() if record is not None and _runs(record) and record.started_at else 0.0
    return Timeline(accepted=accepted, started=started, done=time.time())


def _attempt(record: Invocation | None) -> int:
    """The try that is the last one: the one that runs, or the last that has ended."""
    return 1 if record is None else max(1, record.attempts + _runs(record))


def _runs(record: Invocation) -> bool:
    return record.status == "STARTED"
