"""What runs of calls have written, as it comes from the executors, and what is missing of it. Pure."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from shared.bus.lines import Said
from shared.domain.line import Line, Missed, Why

_MOST_RUNS = 10_000  # that are known of a function at once; the one that was silent for the longest is forgotten


class Gap(NamedTuple):
    """Lines that are not told: of a call, or of nobody knows how many where `task_id` is None."""

    task_id: str | None
    attempt: int
    first: int | None
    last: int | None
    why: Why


class Written(NamedTuple):
    """A line, and whose it is."""

    task_id: str
    attempt: int
    line: Line


Item = Gap | Written


class _Run:
    """What is known of one run: the number that comes next, and whether that was the last one."""

    __slots__ = ("attempt", "ended", "name", "next")

    def __init__(self, name: str, attempt: int) -> None:
        self.name = name
        self.attempt = attempt
        self.next = 1
        self.ended = False


class Runs:
    """The runs of a function's calls, by task: finds out what is missing between what came. Pure."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, _Run] = OrderedDict()

    def take(self, said: Said) -> list[Item]:
        """What is to be told of it."""
        task, items = said.task_id, list[Item]()
        run = self._runs.get(task)
        if run is None or run.name != said.run:
            if run is not None and not run.ended:
                items.append(Gap(task, run.attempt, run.next, None, "died"))
            run = self._runs[task] = _Run(said.run, said.attempt)
            if said.start > 1:
                items.append(Gap(task, said.attempt, 1, said.start - 1, "before"))
                run.next = said.start
            if len(self._runs) > _MOST_RUNS:
                self._runs.popitem(last=False)
        self._runs.move_to_end(task)
        if not said.missed and said.lines and said.lines[0].n == run.next and _follow_each_other(said.lines):
            items += [Written(task, run.attempt, line) for line in said.lines]  # as a rule, and of many
            run.next = said.lines[-1].n + 1
            said = msgspec.structs.replace(said, lines=[])
        for one in _ordered(said):
            first, last = (one.line.n, one.line.n) if isinstance(one, Written) else (one.first or 1, one.last)
            if first < run.next:
                continue  # it came before
            if first > run.next:
                items.append(Gap(task, run.attempt, run.next, first - 1, "lost"))
            items.append(one)
            run.next = (first if last is None else last) + 1
        if said.total >= run.next and not any(isinstance(one, Gap) and one.last is None for one in items):
            items.append(Gap(task, run.attempt, run.next, said.total, "lost"))
        run.ended = run.ended or said.total >= 0
        return items

    def running(self) -> list[Gap]:
        """What one who comes now has missed."""
        return [
            Gap(task, run.attempt, 1, run.next - 1, "before")
            for task, run in self._runs.items()
            if not run.ended and run.next > 1
        ]

    def awaits(self, task_id: str, name: str, *, total: int) -> bool:
        """Whether more is to come of a call that has ended with this run, which has written so many lines."""
        run = self._runs.get(task_id)
        return bool(total) if run is None else not run.ended or (run.name != name and total > 0)

    def missing(self, task_id: str, name: str, *, attempt: int, total: int, why: Why) -> list[Gap]:
        """What was not told of a call that has ended with this run, which has written so many lines.

        `why` nothing may have come of it at all.
        """
        run = self._runs.get(task_id)
        if run is not None and run.name == name:
            if run.ended:
                return []
            if not total:
                return [Gap(task_id, attempt, run.next, None, "died")]
            return [Gap(task_id, attempt, run.next, total, "lost")] if total >= run.next else []
        gaps = [Gap(task_id, run.attempt, run.next, None, "died")] if run is not None and not run.ended else []
        return [*gaps, Gap(task_id, attempt, 1, total, why)] if total else gaps


def _follow_each_other(lines: Sequence[Line]) -> bool:
    return lines[-1].n - lines[0].n == len(lines) - 1 and all(map(_is_next, lines, lines[1:]))


def _is_next(one: Line, other: Line) -> bool:
    return other.n == one.n + 1


def _ordered(said: Said) -> Iterator[Written | Gap]:
    """Lines and gaps by their numbers, as the executor has told them."""
    told: list[Line | Missed] = sorted([*said.lines, *said.missed], key=_number)
    for one in told:
        if isinstance(one, Line):
            yield Written(said.task_id, said.attempt, one)
        else:
            yield Gap(said.task_id, said.attempt, one.first, one.last, one.why)


def _number(one: Line | Missed) -> int:
    return one.n if isinstance(one, Line) else one.first
