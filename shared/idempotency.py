"""Requests with an idempotency key: the same key is one invocation, however often and wherever it is sent.

A key stands on the bus, under a subject of its own that only one request can be the first to write: with the task id
of the invocation, before that is submitted. Who comes later finds it there, and waits for the same invocation, or is
told how it ended. One that died between the two steps leaves the second to whoever comes next, under the same task id,
which the bus stores once; past the time in which it knows that id, INVOKE is asked where the record does not know it.
"""

import time
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

import msgspec

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.lookup import command_at, find_command
from shared.bus.notices import Keyed
from shared.domain.function import Function
from shared.domain.idempotency import Key, KeyReusedError, digest_of
from shared.domain.invocation import FINAL, Invocation
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem
from shared.store.client import Store
from shared.store.invocations import Invocations, outcome_of
from shared.submit import Accepted, Origin, admitted, submit

_TRIES = 20  # each is lost only to somebody else who sends the same key in the same moment
_LATE_S = 20.0  # from the claim to the command: INVOKE is not searched for what came later than a bit more
_WINDOW_SHARE = 0.8  # of the time in which the bus knows a message id, where that is shorter: two clocks may differ


class Waits(Protocol):
    """Somebody waits."""

    def give_up(self) -> None:
        """Nobody does any more."""


W = TypeVar("W", bound=Waits)


class Ready(NamedTuple, Generic[W]):
    """A command that is ready to be sent, and the wait for its answer; None where nobody waits."""

    params: msgspec.Raw
    origin: Origin
    wait: W | None


Prepare = Callable[[str, bool], Ready[W]]
"""Makes the command of a task id and begins to wait for it, before it is sent. It may be asked more than once.

The second argument says that somebody else may have sent it, and may be waiting for it, also in this process.
"""


async def sent(bus: Bus, function: Function, task_id: str, ready: Ready[W]) -> Accepted:
    """Submit what is ready; where that fails, nobody waits for it. Raises Problem(unavailable, too_large)."""
    try:
        return await submit(bus, function, task_id=task_id, params=ready.params, origin=ready.origin)
    except BaseException:
        _give_up(ready)
        raise


class Found(NamedTuple, Generic[W]):
    """The invocation of a key: to be waited for, unless its `outcome` is known. `replayed`: it is another request's."""

    accepted: Accepted
    wait: W | None = None
    replayed: bool = False
    outcome: Outcome | None = None


class Idempotency:
    """Submits what comes with a key, once."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._store = store
        self._late_s = 0.0  # not known yet

    async def submit(self, function: Function, key: Key, *, task_id: str, prepare: Prepare[W]) -> Found[W]:
        """The invocation of this key: a new one with this task id, or the one that another request has made.

        Raises what `prepare` raises, and Problem(rate_limited): then nothing is claimed; KeyReusedError;
        Problem(unavailable, too_large), after which the same request may be sent again.
        """
        if not self._late_s:
            self._late_s = min(_LATE_S, _WINDOW_SHARE * await self._bus.window_s(streams.INVOKE))
        subject = subjects.key(function.tenant, function.id, digest_of(function, key))
        entry, last = _entry(task_id, key), 0
        for _ in range(_TRIES):
            ready = prepare(entry.task_id, last > 0)
            await self._admitted(function, subject, ready)
            if await self._claimed(subject, entry, last=last, ready=ready):
                return await self._sent(function, entry, ready)
            known = await self._bus.last(streams.KEYS, subject, Keyed)
            if known is None:  # it was let go of in between
                entry, last = _entry(task_id, key), 0
                continue
            if known.body.fingerprint != key.fingerprint:
                raise KeyReusedError
            found = await self._repeated(function, known.body, prepare)
            if found is not None:
                return found
            entry, last = msgspec.structs.replace(known.body, at=time.time()), known.sequence
        raise Problem("unavailable", "The same idempotency key is being sent too often; try again in a moment")

    async def _admitted(self, function: Function, subject: str, ready: Ready[W]) -> None:
        """What may not be queued claims nothing; who repeats what was accepted is not refused for that."""
        try:
            admitted(self._bus, function, ready.origin)
        except Problem:
            try:
                known = await self._bus.last(streams.KEYS, subject, Keyed)
            except BaseException:
                _give_up(ready)
                raise
            if known is None:
                _give_up(ready)
                raise

    async def _claimed(self, subject: str, entry: Keyed, *, last: int, ready: Ready[W]) -> bool:
        """Whether the entry stands now; not where another one came after `last`: then its wait is over."""
        try:
            await self._bus.replace(subject, entry, last=last)
        except BaseException as error:
            _give_up(ready)
            if isinstance(error, Problem) and error.code == "conflict":
                return False
            raise
        return True

    async def _sent(self, function: Function, entry: Keyed, ready: Ready[W]) -> Found[W]:
        """Submit the command; whoever did so before has made the invocation."""
        try:
            if abs(time.time() - entry.at) > self._late_s:  # this process stood still: it would not be found there
                raise Problem("unavailable", "The platform was held up; try again in a moment")
            accepted = await sent(self._bus, function, entry.task_id, ready)
            if not accepted.repeated:
                return Found(accepted, ready.wait)
            first = await command_at(self._bus, tenant=function.tenant, sequence=accepted.id)
        except BaseException:
            _give_up(ready)
            raise
        at = entry.at if first is None else first.body.accepted_at
        return Found(msgspec.structs.replace(accepted, accepted_at=at), ready.wait, replayed=True)

    async def _repeated(self, function: Function, entry: Keyed, prepare: Prepare[W]) -> Found[W] | None:
        """The invocation of a key that was sent before; None where it was never submitted, and is to be claimed anew.

        The wait begins before the first look: an end that comes in between is heard.
        """
        ready = prepare(entry.task_id, True)
        try:
            found = await self._known(function, entry, ready)
        except BaseException:
            _give_up(ready)
            raise
        if found is None or found.wait is None:
            _give_up(ready)
        return found

    async def _known(self, function: Function, entry: Keyed, ready: Ready[W]) -> Found[W] | None:
        away: Problem | None = None
        try:
            record = await Invocations(self._store, function.tenant).by_task(entry.task_id)
        except Problem as problem:
            record, away = None, problem
        if record is not None:
            return _recorded(record, ready)
        if abs(time.time() - entry.at) <= self._late_s:
            # Whoever claimed it may have died before it was submitted.
            found = await self._sent(function, entry, ready)
            if away is not None and found.replayed:  # it may have ended: that is not known now
                raise away
            return found
        if away is not None:
            raise away
        command = await find_command(self._bus, tenant=function.tenant, task_id=entry.task_id, around=entry.at)
        if command is None:
            return None
        accepted = Accepted(entry.task_id, command.sequence, command.body.accepted_at, repeated=True)
        return Found(accepted, ready.wait, replayed=True)


def _entry(task_id: str, key: Key) -> Keyed:
    return Keyed(task_id=task_id, fingerprint=key.fingerprint, at=time.time())


def _recorded(record: Invocation, ready: Ready[W]) -> Found[W]:
    accepted = Accepted(record.task_id, record.id, record.created_at.timestamp(), repeated=True)
    if record.status in FINAL:
        return Found(accepted, replayed=True, outcome=outcome_of(record))
    return Found(accepted, ready.wait, replayed=True)


def _give_up(ready: Ready[W]) -> None:
    if ready.wait is not None:
        ready.wait.give_up()
