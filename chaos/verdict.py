"""What became of everything: nothing lost, nothing twice, nothing stuck; and where an effect came twice, why."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

import msgspec

from chaos.effects import Effect
from chaos.journal import PAUSE, TERM, Event
from chaos.kinds import CANCELLED, EXPIRING, ONCE
from chaos.ledger import Ledger
from chaos.records import ENDS, Record
from shared.submit import due_task_id

_CLOCK_S = 0.05  # between a line in one process and a note of it in another
_MINUTE_S = 60
_SHOWN = 20
_CUT_ENDS = frozenset({"WorkerDied"})
"""How a try may end that was cut by us, and is not made again."""


class Findings(msgspec.Struct, kw_only=True):
    """What is wrong, each a line; all are empty where everything is right. `repeats` are the effects that came again,
    each with its reason: they are no faults."""

    lost: list[str] = []
    doubled: list[str] = []
    stuck: list[str] = []
    wrong: list[str] = []
    unexplained: list[str] = []
    repeats: list[str] = []

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.stuck or self.wrong or self.unexplained)

    def lines(self) -> list[str]:
        """What is wrong, a few of each."""
        found = []
        for name in ("lost", "doubled", "stuck", "wrong", "unexplained"):
            all_of: list[str] = getattr(self, name)
            found += [f"{name}: {line}" for line in all_of[:_SHOWN]]
            found += [f"{name}: … and {len(all_of) - _SHOWN} more"] if len(all_of) > _SHOWN else []
        return found


class Facts(msgspec.Struct, kw_only=True):
    """Everything that is known. `ended` are the task ids of all ends on the bus, `commands` those of all commands.

    `effects` are those of each try, `taken` the times at which the endpoint of proxies was reached, by task.
    `ticking` are scheduled functions, which were on from `ticked[0]` to `ticked[1]`, Unix seconds.
    """

    ledger: Ledger
    records: list[Record]
    commands: list[str]
    ended: list[str]
    effects: dict[tuple[str, int], list[Effect]]
    taken: dict[str, list[float]]
    events: list[Event]
    lease_s: float
    tenant: str
    ticking: list[int]
    ticked: tuple[float, float]


def judge(facts: Facts) -> Findings:
    """Pure."""
    found = Findings()
    by_task = {record.task_id: record for record in facts.records}
    _lost(facts, by_task, found)
    _stuck(facts.records, found)
    _doubled(facts, found)
    _wrong(facts, found)
    _effects(facts, found)
    _calls(facts, by_task, found)
    return found


def _lost(facts: Facts, by_task: dict[str, Record], found: Findings) -> None:
    for one in facts.ledger.submissions.values():
        found.lost += [
            f"{one.kind} {one.number}: {id} was given and is not on record" for id in one.given if id not in by_task
        ]
    found.lost += [f"{id} is on the bus and not on record" for id in facts.commands if id not in by_task]
    for function_id in facts.ticking:
        for due in _minutes(*facts.ticked):
            if due_task_id(facts.tenant, function_id, due) not in by_task:
                found.lost.append(f"the tick of function {function_id} that was due at {due}")


def _minutes(since: float, until: float) -> Iterable[int]:
    """The whole minutes between two moments, and not at their edge."""
    first = int(since // _MINUTE_S + 1) * _MINUTE_S
    return (due for due in range(first, int(until) - 1, _MINUTE_S) if due > since + 1)


def _stuck(records: list[Record], found: Findings) -> None:
    found.stuck += [
        f"{one.task_id} of {one.function_slug} is {one.status}" for one in records if one.status not in ENDS
    ]


def _doubled(facts: Facts, found: Findings) -> None:
    """Task ids are the keys of the records; so it is ids, wishes and ends that could be there twice."""
    ids = Counter(record.id for record in facts.records)
    found.doubled += [f"id {id} is on {count} records" for id, count in ids.items() if count > 1]
    found.doubled += [f"{id} has {n} commands" for id, n in Counter(facts.commands).items() if n > 1]
    found.doubled += [f"{id} has {n} ends on the bus" for id, n in Counter(facts.ended).items() if n > 1]
    of_wish: dict[int, list[Record]] = defaultdict(list)
    for record in facts.records:
        if record.trigger_type in ("api", "webhook") and (number := record.number) is not None:
            of_wish[number].append(record)
    for number, one in facts.ledger.submissions.items():
        made, most = len(of_wish[number]), 1 if one.key else 1 + one.doubts
        if made > most:
            found.doubled.append(f"{one.kind} {number} ({one.doubts} doubts, key {one.key!r}): {made} invocations")
        if one.key and len(one.given) > 1:
            found.doubled.append(f"{one.kind} {number} with the key {one.key} was told {one.given}")


def _wrong(facts: Facts, found: Findings) -> None:
    """Answers that no client should get, and ends that are not as they should be."""
    found.wrong += [f"{count} times: {odd}" for odd, count in facts.ledger.odd.items()]
    wished = {task_id for one in facts.ledger.submissions.values() for task_id in one.cancelled}
    found.wrong += [
        f"{record.task_id} was told to be cancelled, and is {record.status}"
        for record in facts.records
        if record.task_id in wished and record.status != "CANCELLED"
    ]
    for record in facts.records:
        number = record.number
        if record.status == "SUCCESS":
            if record.function_slug not in _ANSWERS_OTHERWISE and number is not None and record.answered != number:
                found.wrong.append(
                    f"{record.task_id} of {record.function_slug}: {number} was answered {record.answered}"
                )
        elif record.status in ENDS and not _is_right(facts, record):
            what = f"{record.error_type}: {record.error[:200]}"
            found.wrong.append(f"{record.task_id} of {record.function_slug} ended {record.status}, {what}")


def _is_right(facts: Facts, record: Record) -> bool:
    """Whether an end may be another one than SUCCESS: a run was cut and is not made again, or its client wished so."""
    wish = facts.ledger.submissions.get(record.number) if record.number is not None else None
    kind = wish.kind if wish is not None else ""
    if record.status == "EXPIRED":
        return kind == EXPIRING
    if record.status == "CANCELLED":
        return kind == CANCELLED
    if record.error_type == "TimeoutError":
        return _stood_still(facts, record)
    return record.error_type in _CUT_ENDS or (record.error_type == "AttemptLost" and kind == ONCE)


def _stood_still(facts: Facts, record: Record) -> bool:
    """Whether its executor was stopped while its time ran."""
    if record.created_at is None or record.done_at is None:
        return False
    began, ended = record.created_at.timestamp(), record.done_at.timestamp()
    return any(
        event.what == PAUSE
        and record.executor.startswith(f"executor-{event.pid}-")
        and began <= (event.until or ended)
        and event.at <= ended
        for event in facts.events
    )


_ANSWERS_OTHERWISE = frozenset({"proxy", "once"})


def _effects(facts: Facts, found: Findings) -> None:
    """Each try of what succeeded left one line; more of them only where a try was cut."""
    left: dict[str, set[int]] = defaultdict(set)
    for (task_id, attempt), effects in facts.effects.items():
        left[task_id].add(attempt)
        for first, second in pairwise(effects):
            what = f"{task_id}, try {attempt}: pid {first.pid} at {first.at:.3f}, pid {second.pid} at {second.at:.3f}"
            why = _cut(facts, first, second)
            (found.repeats if why else found.unexplained).append(f"{what}: {why or 'nobody was killed'}")
    for record in facts.records:
        wish = facts.ledger.submissions.get(record.number or 0) if record.number is not None else None
        if wish is None or wish.kind not in _COUNTED or record.status == "CANCELLED":
            continue
        if record.status == "EXPIRED":
            if left[record.task_id]:
                found.wrong.append(f"{record.task_id} has expired, and left a line")
            continue
        if left[record.task_id] != set(range(1, wish.tries + 1)):
            tries = sorted(left[record.task_id])
            found.wrong.append(
                f"{record.task_id} of {record.function_slug} left lines at the tries {tries} of {wish.tries}"
            )


_COUNTED = frozenset({"effect", "flaky", EXPIRING})


def _cut(facts: Facts, first: Effect, second: Effect) -> str:
    """Who was killed while the first one was at it; or was stopped for so long that it was taken for dead."""
    for event in facts.events:
        if event.pid not in (first.pid, second.pid):
            continue
        until = event.until or float("inf")
        if event.what == PAUSE:
            if until - event.at > facts.lease_s * _NEARLY and event.at <= second.at and until >= first.at - _CLOCK_S:
                return f"{event.victim} was stopped from {event.at:.3f} to {until:.3f}"
            continue
        # Who is told to end has a while for what it has begun, and is gone when another process has its place.
        over = until if event.what == TERM else event.at
        if event.pid == first.pid and event.at <= second.at and first.at - _CLOCK_S <= over:
            return f"{event.victim} met {event.what} at {event.at:.3f}"
    return ""


_NEARLY = 0.5  # of a lease: it had run for a while when the pause began


def _calls(facts: Facts, by_task: dict[str, Record], found: Findings) -> None:
    """The endpoint of proxies is reached as often as there were tries."""
    for task_id, times in facts.taken.items():
        record = by_task.get(task_id)
        wish = facts.ledger.submissions.get(record.number) if record and record.number is not None else None
        if wish is None or len(times) <= wish.tries:
            continue
        if wish.kind == ONCE:
            found.doubled.append(f"{task_id} was to run at most once, and reached its endpoint {len(times)} times")
            continue
        why = _any_cut(facts, min(times), max(times))
        line = f"{task_id} of a proxy reached its endpoint {len(times)} times, {wish.tries} expected"
        (found.repeats if why else found.unexplained).append(f"{line}: {why or 'no executor was killed'}")


def _any_cut(facts: Facts, since: float, until: float) -> str:
    for event in facts.events:
        over = event.until if event.what in (PAUSE, TERM) else event.at
        if event.victim.startswith("executor") and event.at <= until and (over or until) >= since - _CLOCK_S:
            return f"{event.victim} met {event.what} at {event.at:.3f}"
    return ""
