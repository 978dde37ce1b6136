"""What becomes of a tick that has come: a function and a moment in, one decision out. Pure."""

import math

import msgspec

from shared.bus.notices import Tick
from shared.domain.function import Function
from shared.domain.invocation import FINAL, Status
from shared.domain.tick import State
from shared.schedule import Timetable

LATE_S = 2.0  # a tick that is later than this is called late
_MOST_COUNTED = 100  # missed ticks are counted up to here
_RECORD_S = 300.0  # a run that is not on record after this will never be


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry for the ledger: what became of the tick at `due`, or of `count` of them until `until`."""

    due: int
    state: State
    reason: str = ""
    count: int = 1
    until: int = 0


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What to do: submit the run that is due at `run`, if any, enter `entries`, plan the first tick after `after`.

    Which one that is is left to be computed when there is time: it takes longer than all the rest.
    """

    run: int | None
    entries: list[Entry]
    after: int


class Previous(msgspec.Struct, frozen=True):
    """The run before: when it was submitted, and its status; None where it is not on record."""

    task_id: str
    at: float
    status: Status | None


class Rules(msgspec.Struct, frozen=True):
    """The operator's bounds, in seconds, and whether the tenant may have anything run."""

    missed_s: float
    overlap_s: float
    is_active: bool = True


def plan_of(function: Function) -> str:
    """What a plan was made from: a plan of another text is not this function's any more."""
    return f"{function.cron_expression} {function.schedule_timezone}"


def is_current(tick: Tick, function: Function | None) -> bool:
    """Whether the function still has the schedule that this tick comes from."""
    return function is not None and function.is_scheduled and plan_of(function) == tick.plan


def decide(
    tick: Tick, *, function: Function, table: Timetable, now: float, previous: Previous | None, rules: Rules
) -> Decision:
    """What becomes of a tick of a schedule that is the function's own (`is_current`)."""
    if now - tick.due <= rules.missed_s:
        state: State = "late" if now - tick.due > LATE_S else "fired"
        return _run(tick.due, state, [], function=function, previous=previous, now=now, rules=rules)
    if function.schedule_missed_runs == "skip":
        after = math.ceil(now - rules.missed_s) - 1
        missed = _missed(tick.due, until=after + 1, table=table, what="the policy is to skip them")
        return Decision(run=None, entries=[missed], after=after)
    due = max(table.latest(int(now)) or tick.due, tick.due)
    made_up = [] if due == tick.due else [_missed(tick.due, until=due, table=table, what="one run makes up for all")]
    return _run(due, "caught_up", made_up, function=function, previous=previous, now=now, rules=rules)


def overlaps(previous: Previous | None, *, now: float, overlap_s: float) -> bool:
    """Whether the run before has not ended. One that is not on record has not, for a while: the record may be late."""
    if previous is None or previous.status in FINAL:
        return False
    return now - previous.at < (_RECORD_S if previous.status is None else overlap_s)


def _run(
    due: int,
    state: State,
    missed: list[Entry],
    *,
    function: Function,
    previous: Previous | None,
    now: float,
    rules: Rules,
) -> Decision:
    reason = ""
    if not rules.is_active:
        reason = "The tenant is not active"
    elif function.execution_mode == "app" and function.active is None:
        reason = "The function has no active code"
    elif function.schedule_overlap == "skip" and overlaps(previous, now=now, overlap_s=rules.overlap_s):
        assert previous is not None
        reason = f"The run before, task {previous.task_id}, has not ended"
    entry = Entry(due=due, state="skipped", reason=reason) if reason else Entry(due=due, state=state)
    return Decision(run=None if reason else due, entries=[*missed, entry], after=due)


def _missed(first: int, *, until: int, table: Timetable, what: str) -> Entry:
    """One entry for all ticks from `first` on, before `until`."""
    count, last = 1, first
    while count < _MOST_COUNTED and (due := table.after(last)) is not None and due < until:
        count, last = count + 1, due
    if count == _MOST_COUNTED:
        last = table.latest(until - 1) or last
    many = (
        f"{count} or more runs were" if count == _MOST_COUNTED else "1 run was" if count == 1 else f"{count} runs were"
    )
    reason = f"{many} missed while the platform was not running; {what}"
    return Entry(due=first, state="skipped", reason=reason, count=count, until=last)
