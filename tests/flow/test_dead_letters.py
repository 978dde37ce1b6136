"""The graveyard on a real bus: one letter a death, bounds by function, pages newest first, and tenants apart."""

import asyncio
import time

import msgspec
import pytest

from services.executor.cancelling import Cuts
from services.executor.handlers import BusLinks
from shared.bus import consumer, graveyard, streams
from shared.bus.broker import Bus
from shared.bus.cancels import Cancels
from shared.bus.consumer import PullConsumer
from shared.bus.dead_letters import DeadLetters
from shared.bus.delivery import DONE, Delivery, Verdict
from shared.bus.graveyard import DeadLetter
from shared.bus.messages import Dispatch, Finished, Invoke
from shared.bus.streams import Consumer
from shared.domain.invocation import End
from shared.domain.outcome import Outcome, expired, failure
from shared.domain.problem import Problem
from tests.flow.commands import BOUNDS, command
from tests.unit.test_execution import DISPATCH, Links, Mode, made

FAILED = failure("ValueError", "no")


async def die(bus: Bus, task_id: str, *, tenant: str = "acme", function: str = "f") -> None:
    body = msgspec.structs.replace(command(task_id, tenant), function=function)
    letter = graveyard.letter_of(body, FAILED, sequence=1)
    assert letter is not None
    await graveyard.keep(bus, letter)


@pytest.mark.parametrize(
    ("outcome", "changes", "kept"),
    [
        (FAILED, {"reply_to": ""}, True),
        (expired(5), {"reply_to": ""}, True),
        (FAILED, {}, False),
        (FAILED, {"attempt": 2}, True),
        (FAILED, {"reply_to": "", "dead_letter": False}, False),
        (Outcome(status="CANCELLED", error_type="Cancelled"), {"reply_to": "", "attempt": 2}, False),
        (Outcome(status="SUCCESS"), {"reply_to": "", "attempt": 2}, False),
    ],
)
def test_which_ends_leave_a_letter(outcome: Outcome, changes: dict[str, object], kept: bool) -> None:
    letter = graveyard.letter_of(msgspec.structs.replace(DISPATCH, **changes), outcome, sequence=4)
    assert (letter is not None) is kept
    if letter is not None:
        assert (letter.task_id, letter.sequence, letter.reason) == ("t-1", 4, outcome.message)
        assert letter.attempts == (0 if outcome.status == "EXPIRED" else changes.get("attempt", 1))


async def test_pages_are_the_newest_first_whatever_stands_between(bus: Bus) -> None:
    letters, expected = DeadLetters(bus, "acme"), []
    for number in range(24):
        await die(bus, f"a{number}", function=f"f{number % 6}")
        expected.append(f"a{number}")
        for other in range(number % 3):
            await die(bus, f"b{number}.{other}", tenant="acm", function="f0")
    (removed, *_), newest = [one for one in (await letters.listed(limit=30, skip=0))[1] if one.function == "f1"], 24
    assert await letters.remove(removed.id)
    expected.remove(removed.letter.task_id)
    for skip in range(newest):
        for limit in (1, 5, 100):
            count, found = await letters.listed(limit=limit, skip=skip)
            assert count == 23
            assert [one.letter.task_id for one in found] == expected[::-1][skip : skip + limit]
    count, found = await letters.listed("f2", limit=2, skip=1)
    assert (count, [one.letter.task_id for one in found]) == (4, ["a14", "a8"])
    assert await letters.listed("nobody", limit=5, skip=0) == (0, [])
    assert (await bus.stream.stream_info(streams.DEAD)).state.messages > 23


async def test_the_oldest_first_up_to_where_it_was(bus: Bus) -> None:
    letters = DeadLetters(bus, "acme")
    for number in range(5):
        await die(bus, f"o{number}", function="g")
    until = await letters.last()
    await die(bus, "late", function="other")
    first = await letters.after(0, limit=3, until=until)
    assert ([one.letter.task_id for one in first.found], first.left) == (["o0", "o1", "o2"], 2)
    rest = await letters.after(first.last, limit=3, until=until)
    assert ([one.letter.task_id for one in rest.found], rest.left) == (["o3", "o4"], 0)


async def test_a_function_that_always_fails_pushes_out_its_own_letters_only(bus: Bus) -> None:
    await die(bus, "quiet")
    for number in range(BOUNDS.dead_per_function + 7):
        await die(bus, f"n{number}", function="noisy")
    letters = DeadLetters(bus, "acme")
    count, found = await letters.listed("noisy", limit=100, skip=0)
    assert count == BOUNDS.dead_per_function
    assert found[0].letter.task_id == f"n{BOUNDS.dead_per_function + 6}"
    assert await letters.count("f") == 1


async def test_a_letter_is_its_tenants_only(bus: Bus) -> None:
    await die(bus, "theirs", tenant="other")
    theirs = DeadLetters(bus, "other")
    (found,) = (await theirs.listed(limit=5, skip=0))[1]
    mine = DeadLetters(bus, "acme")
    assert await mine.one(found.id) is None
    assert not await mine.remove(found.id)
    for function in ("*", ">", "f.other", "f >"):
        with pytest.raises(Problem):
            await mine.listed(function, limit=5, skip=0)
        with pytest.raises(Problem):
            await mine.remove_all(function)
    await mine.remove_all()
    assert await theirs.one(found.id) == found
    assert await theirs.remove(found.id)
    assert not await theirs.remove(found.id)


async def test_what_a_former_tenant_of_the_name_left_is_not_seen(bus: Bus) -> None:
    await die(bus, "former")
    (found,) = (await DeadLetters(bus, "acme").listed(limit=5, skip=0))[1]
    latter = DeadLetters(bus, "acme", since=time.time() + 1)
    assert (await latter.listed(limit=5, skip=0))[1] == []
    assert await latter.one(found.id) is None
    assert not await latter.remove(found.id)


async def test_letters_of_before_stay_readable(bus: Bus) -> None:
    old = (
        b'{"type":"dead.v1","stream":"WORK","sequence":3,"subject":"work.python.acme","reason":"r","at":1.5,"data":""}'
    )
    await bus.publish("dead.acme.unknown", old, headers={"Nats-Msg-Id": "WORK.3"})
    (found,) = (await DeadLetters(bus, "acme").listed(limit=5, skip=0))[1]
    assert (found.letter.reason, found.letter.task_id, found.command) == ("r", "", None)


async def test_what_is_too_large_is_kept_without_its_bytes(bus: Bus) -> None:
    body = msgspec.structs.replace(command("large"), params=msgspec.Raw(b'{"a":"%s"}' % (b"x" * (10 << 20))))
    letter = graveyard.letter_of(body, FAILED, sequence=1)
    assert letter is not None
    assert await graveyard.keep(bus, letter)
    (found,) = (await DeadLetters(bus, "acme").listed(limit=5, skip=0))[1]
    assert (found.letter.task_id, found.letter.data) == ("large", b"")


async def test_what_was_given_up_has_one_letter(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is told first, which leaves one; then the message is dropped, which would leave another one."""
    monkeypatch.setattr(consumer, "_MOST_FAULTS", 2)

    async def handle(_: Delivery[Invoke]) -> Verdict:
        message = "a bug of ours"
        raise RuntimeError(message)

    async def given_up(delivery: Delivery[Invoke], reason: str) -> None:
        letter = graveyard.letter_of(delivery.body, failure("Undeliverable", reason), sequence=delivery.sequence)
        if letter is not None:
            await graveyard.keep(bus, letter)

    spec = Consumer(stream="INVOKE", name="poison", subject="invoke.*.*", lease_s=2.0)
    pulling = PullConsumer(bus, spec, body=Invoke, handle=handle, given_up=given_up)
    await pulling.start()
    await bus.store("invoke.acme.f", command("poison"), id="poison")
    await bus.store("invoke.acme.f", msgspec.structs.replace(command("waited"), reply_to="reply.x.y"), id="waited")
    letters = DeadLetters(bus, "acme")
    async with asyncio.timeout(20):
        while (await bus.stream.consumer_info("INVOKE", "poison")).num_ack_pending or await letters.count() < 2:
            await asyncio.sleep(0.02)
    await pulling.stop(grace_s=1)
    _, found = await letters.listed(limit=10, skip=0)
    assert sorted(one.letter.task_id for one in found) == ["poison", "waited"]
    assert {one.letter.error_class for one in found} == {"infrastructure"}
    assert all(one.command is not None for one in found)


async def test_the_letter_of_a_task_is_found_among_others(bus: Bus) -> None:
    letters, now = DeadLetters(bus, "acme"), time.time()
    assert await letters.of_task("sought", "s1", accepted_at=now) is None
    for number in range(4):
        await die(bus, f"s{number}", function="sought")
    found = await letters.of_task("sought", "s1", accepted_at=now)
    assert found is not None
    assert found.letter.task_id == "s1"
    assert await letters.of_task("sought", "s", accepted_at=now) is None
    assert await letters.of_task("sought", "s1", accepted_at=now + 1000) is None


class Mortal(Links):
    """A test's links, but for letters, which are the bus's; dies by kill -9 when it is to report, if told so."""

    def __init__(self, bus: Bus) -> None:
        super().__init__()
        self._real = BusLinks.__new__(BusLinks)
        self._real._bus, self._real._cuts = bus, Cuts(Cancels(bus))
        self.dies = True

    async def died(self, dispatch: Dispatch) -> Outcome | None:
        return await self._real.died(dispatch)

    async def bury(self, letter: DeadLetter) -> int:
        return await self._real.bury(letter)

    async def unbury(self, number: int) -> None:
        await self._real.unbury(number)

    async def report(self, finished: Finished, *, reply_to: str, told: Outcome) -> End:
        if self.dies:
            raise KilledError
        return await super().report(finished, reply_to=reply_to, told=told)


class KilledError(Exception):
    pass


async def test_a_kill_between_the_letter_and_the_end_loses_and_doubles_nothing(bus: Bus) -> None:
    links, mode = Mortal(bus), Mode()
    mode.result = FAILED
    execution = made(links, mode)
    accepted = msgspec.structs.replace(DISPATCH.timeline, accepted=time.time())
    body = msgspec.structs.replace(DISPATCH, reply_to="", timeline=accepted)
    with pytest.raises(KilledError):
        await execution.handle(Delivery(body, 1, 1))
    assert not links.ends
    links.dies, mode.result = False, Outcome(status="SUCCESS")  # it would end otherwise this time
    assert await execution.handle(Delivery(body, 1, 2)) == DONE
    (end,) = links.ends
    assert (end.outcome.status, end.outcome.error_type, end.outcome.error) == ("FAILURE", "ValueError", "no")
    assert len(mode.calls) == 1
    assert await DeadLetters(bus, "acme").count() == 1


async def test_the_same_death_told_twice_is_one_letter(bus: Bus) -> None:
    links, mode = Mortal(bus), Mode()
    links.dies, mode.result = False, FAILED
    body = msgspec.structs.replace(DISPATCH, task_id="t-2", reply_to="")
    handled = [made(links, mode), made(links, mode)]
    await asyncio.gather(*(one.handle(Delivery(body, 1, 1)) for one in handled))
    assert len(links.ends) == 2  # of which the stream of events keeps the first
    assert await DeadLetters(bus, "acme").count() == 1


async def test_what_was_cancelled_in_the_same_moment_leaves_none(bus: Bus) -> None:
    links, mode = Mortal(bus), Mode()
    links.dies, links.stands, mode.result = False, "CANCELLED", FAILED
    await made(links, mode).handle(Delivery(msgspec.structs.replace(DISPATCH, task_id="t-3", reply_to=""), 1, 1))
    assert await DeadLetters(bus, "acme").count() == 0


async def test_a_success_tells_the_graveyard_nothing() -> None:
    links, mode = Links(), Mode()
    await made(links, mode).handle(Delivery(msgspec.structs.replace(DISPATCH, reply_to=""), 1, 1))
    assert (len(links.ends), links.letters) == (1, [])
