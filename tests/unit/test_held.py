"""The slot of a call that waits for others: given once, taken back once, and never after its end."""

import asyncio

from services.executor.held import Held
from services.executor.inflight import InFlight
from services.executor.pool.bounds import Bounds
from services.executor.slots import Asker, Slots

US = Asker("acme", 1)


async def free(slots: Slots) -> int:
    """How many may be taken now."""
    taken = 0
    while await slots.take(US, within_s=0):
        taken += 1
    for _ in range(taken):
        slots.give(US)
    return taken


async def held(slots: Slots, released: list[int]) -> Held:
    assert await slots.take(US, within_s=0)
    return Held(slots, US, released=lambda: released.append(1))


async def test_however_many_wait_one_slot_is_given_and_taken_back():
    slots, released = Slots(2), []
    one = await held(slots, released)
    first, second = one.aside(), one.aside()
    await first.__aenter__()
    await second.__aenter__()
    assert (await free(slots), released) == (2, [1])
    await first.__aexit__(None, None, None)
    assert await free(slots) == 2
    await second.__aexit__(None, None, None)
    assert await free(slots) == 1
    one.end()
    assert await free(slots) == 2


async def test_a_call_that_ends_while_something_of_it_waits():
    """The wait learns of it only later, and must not take the slot of another one then."""
    slots, entered, go_on = Slots(1), asyncio.Event(), asyncio.Event()
    one = await held(slots, [])

    async def waiting() -> None:
        async with one.aside():
            entered.set()
            await go_on.wait()

    task = asyncio.create_task(waiting())
    await entered.wait()
    one.end()
    assert await free(slots) == 1
    task.cancel()
    await asyncio.wait({task})
    assert await free(slots) == 1
    async with one.aside():  # too late
        assert await free(slots) == 1
    assert await free(slots) == 1


async def test_what_is_owed_is_taken_though_there_is_none():
    slots = Slots(1)
    one = await held(slots, [])
    async with one.aside():
        other = await held(slots, [])
    assert await free(slots) == 0
    one.end()
    assert await free(slots) == 0
    other.end()
    assert await free(slots) == 1


def test_each_depth_finds_room_beside_all_that_may_wait_for_it():
    for processes, slots, max_depth in ((12, 1, 4), (64, 4, 4), (10, 4, 4), (6, 4, 4), (2, 1, 1), (1, 1, 0)):
        bounds = Bounds(processes=processes, processes_per_tenant=processes)
        in_flight = InFlight(bounds, slots=slots, max_depth=max_depth)
        begun = []
        for depth in range(max_depth + 1):
            before = len(begun)
            while in_flight.enter("acme", depth=depth):
                begun.append(depth)
            assert len(begun) > before
        assert not in_flight.enter("acme", depth=max_depth + 7)
        assert len(begun) <= max(processes, max_depth + 1)
        for _ in begun:
            in_flight.leave("acme")
        assert in_flight.enter("acme", depth=0)


def test_one_tenant_leaves_processes_to_others():
    in_flight = InFlight(Bounds(processes=64, processes_per_tenant=8), slots=2, max_depth=0)
    assert [in_flight.enter("acme", depth=0) for _ in range(9)] == [True] * 4 + [False] * 5
    assert in_flight.enter("rival", depth=0)
