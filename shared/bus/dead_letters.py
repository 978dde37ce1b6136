"""The dead letters of one tenant, read from the stream itself: newest first, from an oldest on, one by its number.

The server answers "the next one from here on", and how many follow it, in a third of a millisecond and without a
consumer. So the place where a page begins is found by halving, and nothing is read but what is shown.
"""

import re
import time
from typing import Any, NamedTuple

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.js.errors import APIError, BadRequestError, NotFoundError

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.graveyard import Command, DeadLetter, command_of, letter_id
from shared.bus.lookup import moment, scan
from shared.bus.publisher import AWAY
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem

_GET = f"$JS.API.DIRECT.GET.{streams.DEAD}"
_MAX_ID = 2**63 - 1  # what the server reads as a number of a message is more, but none is given
_FUNCTION = re.compile(r"[A-Za-z0-9_-]{1,200}")
_LATE_S = 60.0  # how much later than the server's our clock may be
_SCAN_S = 5.0
_FAULTS = (TimeoutError, nats.errors.Error, APIError, OSError)


class Found(NamedTuple):
    """A letter in the stream. `id` is its sequence there, `function` the slug that it is kept under."""

    id: int
    function: str
    letter: DeadLetter

    @property
    def command(self) -> Command | None:
        """The invocation that it is of, as it was asked for; None where that cannot be read or was not kept."""
        return command_of(self.letter.data)


class Stretch(NamedTuple):
    """Letters in a row, up to the number `last`; `left` are behind it."""

    found: list[Found]
    last: int
    left: int


class _Next(NamedTuple):
    found: Found
    behind: int  # how many match that are newer


class DeadLetters:
    """One tenant's. Every method raises Problem(unavailable).

    Of what was asked for before `since`, Unix seconds, nothing is to be seen: that was another tenant of this name.
    """

    def __init__(self, bus: Bus, tenant: str, *, since: float = 0.0) -> None:
        self._bus = bus
        self._tenant = tenant
        self._since = since

    async def count(self, function: str = "") -> int:
        """How many there are, of one function or of all."""
        first = await self._next(self._subject(function), 1)
        return first.behind + 1 if first else 0

    async def listed(self, function: str = "", *, limit: int, skip: int) -> tuple[int, list[Found]]:
        """How many there are, and a part of them, the newest first."""
        subject = self._subject(function)
        first = await self._next(subject, 1)
        total = first.behind + 1 if first else 0
        if first is None or skip >= total:
            return total, []
        left = min(total, skip + limit)  # so many are not older than the last one that is wanted
        begin = first.found.id if left == total else await self._with_behind(subject, left, first.found.id)
        found, _ = await self._from(subject, begin, limit=left - skip)
        return total, [one for one in reversed(found) if self._is_ours(one)]

    async def after(self, id: int, function: str = "", *, limit: int, until: int) -> Stretch:
        """At most `limit` letters behind this one, the oldest first, none newer than `until`."""
        subject = self._subject(function)
        found, behind = await self._from(subject, id + 1, limit=limit)
        newer = await self._next(subject, until + 1) if behind else None
        left = max(0, behind - (newer.behind + 1 if newer else 0))
        ours = [one for one in found if one.id <= until and self._is_ours(one)]
        return Stretch(ours, last=min(found[-1].id, until) if found else until, left=left)

    async def last(self) -> int:
        """The number of the newest letter of any tenant's, or of one that was removed."""
        return await self._bus.last_sequence(streams.DEAD)

    async def one(self, id: int) -> Found | None:
        """The letter with this number, if it is the tenant's."""
        if not 0 < id <= _MAX_ID:
            return None
        found = await self._next(self._subject(""), id)
        return found.found if found and found.found.id == id and self._is_ours(found.found) else None

    async def remove(self, id: int) -> bool:
        """Remove the letter with this number; False where the tenant has none."""
        if await self.one(id) is None:
            return False
        try:
            await self._bus.stream.delete_msg(streams.DEAD, id)
        except (NotFoundError, BadRequestError):  # somebody else has, in this moment
            return False
        except _FAULTS as error:
            raise Problem("unavailable", AWAY) from error
        return True

    async def remove_all(self, function: str = "") -> int:
        """Remove all letters of a function, or of the tenant; how many there were."""
        count = await self.count(function)
        try:
            await self._bus.stream.purge_stream(streams.DEAD, subject=self._subject(function))
        except _FAULTS as error:
            raise Problem("unavailable", AWAY) from error
        return count

    async def of_task(self, function: str, task_id: str, *, accepted_at: float) -> Found | None:
        """The letter of a task that was accepted at this moment, Unix seconds.

        Mostly there is none of its function at all since then, which one question tells.
        """
        subject, since = subjects.dead(self._tenant, function), accepted_at - _LATE_S
        if await self._asked({"next_by_subj": subject, "batch": 1, "start_time": moment(since)}) is None:
            return None
        window, until = (since, time.time() + _LATE_S), time.monotonic() + _SCAN_S
        try:
            sequence = await scan(self._bus, streams.DEAD, subject, id=letter_id(task_id), window=window, until=until)
        except _FAULTS as error:
            raise Problem("unavailable", AWAY) from error
        return None if sequence is None else await self.one(sequence)

    def _subject(self, function: str) -> str:
        """Raises Problem(invalid) for what would be no one function."""
        if function and not _FUNCTION.fullmatch(function):
            raise Problem("invalid", "function must be the slug of a function", {"function": "This is no slug"})
        return subjects.dead(self._tenant, function or "*")

    def _is_ours(self, found: Found) -> bool:
        return (found.letter.accepted_at or found.letter.at) >= self._since

    async def _from(self, subject: str, id: int, *, limit: int) -> tuple[list[Found], int]:
        """At most `limit` letters from this number on, and how many match that are newer than the last of them."""
        found: list[Found] = []
        behind = 0
        while len(found) < limit and (following := await self._next(subject, id)) is not None:
            found.append(following.found)
            id, behind = following.found.id + 1, following.behind
            if not behind:
                break
        return found, behind

    async def _with_behind(self, subject: str, left: int, first: int) -> int:
        """The number of the letter from which on there are `left`, that of the `first` one being known.

        Where some come or go meanwhile, it is one nearby.
        """
        low, high = first, await self.last() + 1
        while high - low > 1:
            middle = (low + high) // 2
            found = await self._next(subject, middle)
            if found is None or found.behind + 1 < left:
                high = middle
            elif found.behind + 1 == left:
                return found.found.id
            else:
                low = max(middle, found.found.id)
        return low

    async def _next(self, subject: str, sequence: int) -> _Next | None:
        """The first letter that is not before this sequence."""
        return await self._asked({"seq": sequence, "next_by_subj": subject, "batch": 1})

    async def _asked(self, question: dict[str, Any]) -> _Next | None:
        try:
            answer = await self._bus.client.request(_GET, msgspec.json.encode(question), timeout=self._bus.timeout_s)
        except _FAULTS as error:
            raise Problem("unavailable", AWAY) from error
        return _read(answer)


def _read(answer: Msg) -> _Next | None:
    headers = answer.headers or {}
    if status := headers.get("Status"):
        if status == "404":
            return None
        raise Problem("unavailable", f"The message bus refused to read: {headers.get('Description', status)}")
    function = headers["Nats-Subject"].split(".")[2]
    letter = msgspec.json.decode(answer.data, type=DeadLetter)
    return _Next(Found(int(headers["Nats-Sequence"]), function, letter), int(headers["Nats-Num-Pending"]))


def told_by(letter: DeadLetter) -> Outcome:
    """How the invocation ended, as far as its letter says so."""
    error = letter.reason.removeprefix(f"{letter.error_type}: ")
    return Outcome(status=letter.status, error_type=letter.error_type, error=error)
