"""Uploads that a function's own runs have made: a function that writes into its own prefix is stopped.

Two ways to know. What a function says in the object's metadata is exact. For one that says nothing it is inferred: an
object whose key is the same as that of a former upload, or made of it, and which came to be while a run was at work
that such an upload had set off. docs/decisions/s3-loops.md says what that costs.
"""

import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from services.triggers.config import Triggers
from services.triggers.kinds.s3.event import ObjectEvent
from services.triggers.kinds.s3.matching import Wanted
from services.triggers.kinds.s3.stems import made_of, stem
from shared.domain.function import Function
from shared.store.invocations import Span

DEPTH, TASK = "shoal-depth", "shoal-task"
"""The metadata by which a function says what it was told: `x-amz-meta-shoal-depth` and `-task`."""

_MOST = 10_000
_RECENT_S = 900.0
_DIGITS = 6
_WHOLE_SECOND = 1.0

_Key = tuple[str, int, str, str]

AskSpans = Callable[[str, Sequence[str]], Awaitable[Mapping[str, Span]]]
"""When tasks of a tenant were at work, as far as that is on record. Raises Problem(unavailable)."""


class Run(NamedTuple):
    """A run that an upload set off; that came to be between `since` and `until`, Unix seconds.

    `grown` says that its key was another one, made of the one before.
    """

    task_id: str
    since: float
    until: float
    grown: bool = False


class Chain(NamedTuple):
    """Uploads of which each may be made by the run of one before, the newest first, when they were looked at last."""

    runs: tuple[Run, ...]
    seen: float


class Descent(NamedTuple):
    """Where an upload comes from: how many runs led to it, which one made it, and why nothing is to run for it."""

    depth: int = 0
    parent: str = ""
    refusal: str = ""
    runs: tuple[Run, ...] = ()
    grown: bool = False


class Lineage:
    """Knows what this process has had run of late, within a bound."""

    def __init__(self, spans: AskSpans, settings: Triggers) -> None:
        self._spans = spans
        self._settings = settings
        self._chains: OrderedDict[_Key, Chain] = OrderedDict()

    def __len__(self) -> int:
        return len(self._chains)

    def may_follow(self, function: Function, wanted: Wanted, event: ObjectEvent) -> bool:
        """Whether it may be made by a run: then its metadata is worth asking for."""
        return bool(self._former(function, wanted, event)[0])

    async def descent(
        self, function: Function, wanted: Wanted, event: ObjectEvent, metadata: Mapping[str, str]
    ) -> Descent:
        """Where it comes from. Raises Problem(unavailable)."""
        depth = _depth(metadata)
        parent = _task(metadata.get(TASK, ""))
        if depth > self._settings.s3_max_depth:
            return Descent(depth, parent, _said(event, depth, self._settings.s3_max_depth))
        runs, grown = self._former(function, wanted, event)
        if not self._is_long(runs, grown=grown):
            return Descent(depth, parent, "", runs, grown)
        return await self._checked(function, event, Descent(depth, parent, "", runs, grown))

    def ran(self, function: Function, wanted: Wanted, event: ObjectEvent, descent: Descent, *, task_id: str) -> None:
        """It has set off a run, as the first to be told of it."""
        since, until = _came(event)
        runs = (Run(task_id, since, until, descent.grown), *descent.runs)[: self._settings.s3_max_inferred + 1]
        key = _key(function, event, stem(event.key, wanted.prefix))
        self._chains[key] = Chain(runs, time.monotonic())
        self._chains.move_to_end(key)
        while len(self._chains) > _MOST:
            self._chains.popitem(last=False)

    def _former(self, function: Function, wanted: Wanted, event: ObjectEvent) -> tuple[tuple[Run, ...], bool]:
        """The longest chain that it may go on, and whether its key is another one."""
        now, grown = time.monotonic(), False
        longest: tuple[Run, ...] = ()
        for number, of in enumerate(made_of(event.key, wanted.prefix)):
            chain = self._chains.get(_key(function, event, of))
            if chain is not None and now - chain.seen < _RECENT_S and len(chain.runs) > len(longest):
                longest, grown = chain.runs, number > 0
        return longest, grown

    def _is_long(self, runs: Sequence[Run], *, grown: bool) -> bool:
        settings = self._settings
        growths = grown + sum(run.grown for run in runs)
        return len(runs) > settings.s3_max_inferred or growths > settings.s3_max_depth

    async def _checked(self, function: Function, event: ObjectEvent, supposed: Descent) -> Descent:
        """The chain by the record of its runs: as far back as each upload came to be while one of them was at work."""
        runs = supposed.runs
        spans = await self._spans(function.tenant, [run.task_id for run in runs])
        certain, unknown = unbroken(_came(event), runs, spans, after_s=self._settings.s3_loop_grace_s)
        kept = runs[: certain + unknown]
        if not self._is_long(kept, grown=supposed.grown) or certain < unknown:
            return supposed._replace(runs=kept)
        most = self._settings.s3_max_depth if supposed.grown else self._settings.s3_max_inferred
        return Descent(len(kept), kept[0].task_id, _said(event, len(kept), most, inferred=True))


def unbroken(
    came: tuple[float, float], runs: Sequence[Run], spans: Mapping[str, Span], *, after_s: float
) -> tuple[int, int]:
    """Through how many of the runs, the newest first, the chain has no gap; of how many more that cannot be said yet.

    A link is an upload that came to be while one of the runs before it was at work, or `after_s` from that: clocks
    differ. A run that is not on record yet may have been.
    """
    certain = unknown = 0
    for number, run in enumerate(runs):
        before = [spans.get(one.task_id) for one in runs[number:]]
        if any(span is not None and _within(came, span, after_s) for span in before):
            certain += 1
        elif any(span is None or span.is_pending for span in before):
            unknown += 1
        else:
            break
        came = run.since, run.until
    return certain, unknown


def _within(came: tuple[float, float], span: Span, after_s: float) -> bool:
    since, until = came
    if span.started is None or until < span.started.timestamp() - after_s:
        return False
    return span.done is None or since <= span.done.timestamp() + after_s


def _came(event: ObjectEvent) -> tuple[float, float]:
    """When the object came to be: within a second, where its teller says no more than that."""
    try:
        at = datetime.fromisoformat(event.at).timestamp()
    except ValueError:
        now = time.time()
        return now, now
    return at, at if "." in event.at else at + _WHOLE_SECOND


def _depth(metadata: Mapping[str, str]) -> int:
    """Of the run that this upload sets off: one more than that of the run that made it, which is what is said."""
    said = metadata.get(DEPTH, "")
    return int(said) + 1 if said.isascii() and said.isdigit() and len(said) <= _DIGITS else 0


def _task(said: str) -> str:
    try:
        return str(uuid.UUID(said))
    except ValueError:
        return ""


def _said(event: ObjectEvent, depth: int, most: int, *, inferred: bool = False) -> str:
    how = "by all appearance" if inferred else f"by its metadata {DEPTH}"
    place = f"{event.bucket}/{event.key}"[:500]
    return (
        f"{place} was written by a run that an upload had set off, {depth} deep {how}; {most} is the most. "
        "The function writes into its own prefix: have it write elsewhere, or narrow the trigger's prefix"
    )


def _key(function: Function, event: ObjectEvent, of: str) -> _Key:
    return function.tenant, function.id, event.bucket, of
