"""Places for calls: who gets one, and who waits."""

import asyncio

import pytest

from services.executor.slots import Asker, Slots

F = [Asker("acme", number) for number in range(10)]
"""Functions of one tenant."""


async def waiting(slots: Slots, of: int) -> asyncio.Task[bool]:
    """A call of this function that stands in line."""
    task = asyncio.create_task(slots.take(F[of], within_s=30))
    await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_functions_in_line_have_their_turns_one_after_the_other() -> None:
    slots = Slots(1)
    assert await slots.take(F[1], within_s=0)
    first, second, other = [await waiting(slots, of) for of in (1, 1, 2)]
    order = []
    for task, of in ((first, 1), (other, 2), (second, 1)):
        task.add_done_callback(lambda _, of=of: order.append(of))
    slots.give(F[1])
    assert await first
    slots.give(F[1])
    assert await other
    slots.give(F[2])
    assert await second
    assert order == [1, 2, 1]


async def test_who_closes_gives_no_place_any_more_and_tells_those_in_line() -> None:
    slots = Slots(1)
    assert await slots.take(F[1], within_s=0)
    in_line = [await waiting(slots, of) for of in (1, 1, 2)]
    slots.close()
    assert [await one for one in in_line] == [False] * 3
    slots.give(F[1])
    assert not await slots.take(F[2], within_s=30)


async def test_one_function_leaves_room_for_others_and_has_the_less_the_more_they_want() -> None:
    slots = Slots(8, share=0.75)  # three times what is free
    assert [await slots.take(F[1], within_s=0) for _ in range(6)] == [True] * 6
    assert not await slots.take(F[1], within_s=0)
    assert await slots.take(F[2], within_s=0)
    assert await slots.take(F[3], within_s=0)
    slots.give(F[1])  # one is free now: for one that has none
    assert not await slots.take(F[1], within_s=0)
    assert not await slots.take(F[2], within_s=0)
    assert await slots.take(F[4], within_s=0)


@pytest.mark.parametrize(("count", "most"), [(1, 1), (2, 1), (16, 14), (512, 490)])
async def test_the_last_place_is_for_another(count: int, most: int) -> None:
    slots = Slots(count, share=0.98)
    assert [await slots.take(F[1], within_s=0) for _ in range(most + 1)] == [True] * most + [False]
    assert await slots.take(F[2], within_s=0) is (count > 1)


async def test_a_tenant_with_many_functions_leaves_room_for_others() -> None:
    slots = Slots(512, share=0.98)
    taken = [await slots.take(Asker("acme", number), within_s=0) for number in range(600)]
    assert sum(taken) == 501
    assert await slots.take(Asker("globex", 1000), within_s=0)
    slots.give(Asker("globex", 1000))
    other = asyncio.create_task(slots.take(Asker("acme", 601), within_s=30))
    await asyncio.sleep(0)
    assert not other.done()
    for number in range(20):
        slots.give(Asker("acme", number))
    assert await other


async def test_a_full_line_is_said_at_once_and_who_gives_up_leaves_it() -> None:
    slots = Slots(1, line=1)
    assert await slots.take(F[1], within_s=0)
    second = await waiting(slots, 1)
    assert not await slots.take(F[1], within_s=30)
    assert not await slots.take(F[2], within_s=0)
    second.cancel()
    await asyncio.wait({second})
    third = await waiting(slots, 1)
    slots.give(F[1])
    assert await third
    slots.give(F[1])
    assert await slots.take(F[1], within_s=0)


async def test_a_place_given_to_one_who_was_cancelled_goes_to_the_next() -> None:
    slots = Slots(1)
    assert await slots.take(F[1], within_s=0)
    second, third = await waiting(slots, 1), await waiting(slots, 1)
    slots.give(F[1])
    second.cancel()
    assert await third


OTHER = Asker("globex", 100)


async def test_a_tenant_without_calls_need_not_wait_for_anothers() -> None:
    slots = Slots(4)
    assert [await slots.take(F[1], within_s=0) for _ in range(5)] == [True] * 4 + [False]
    assert await slots.take(OTHER, within_s=0)
    assert not await slots.take(OTHER, within_s=0)
    assert not await slots.take(Asker("third", 1), within_s=0)


async def test_the_tenant_with_the_fewest_calls_is_next_and_the_other_has_half() -> None:
    slots = Slots(4)
    for _ in range(4):
        assert await slots.take(F[1], within_s=0)
    many = await waiting(slots, 1)
    assert await slots.take(OTHER, within_s=0)
    few = asyncio.create_task(slots.take(OTHER, within_s=30))
    await asyncio.sleep(0)
    slots.give(F[1])
    assert not few.done()  # that one was the place beyond the four
    slots.give(F[1])
    assert await few
    assert not many.done()
    slots.give(F[1])
    assert not many.done()  # one runs, and one may beside others
    slots.give(F[1])
    assert await many


async def test_who_waits_beside_others_gets_their_places_when_they_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.executor.slots._OF_LATE_S", 0.2)
    slots = Slots(4)
    assert await slots.take(OTHER, within_s=0)
    assert await slots.take(F[1], within_s=0)
    assert await slots.take(F[1], within_s=0)
    third = await waiting(slots, 1)
    assert await third  # though nobody has given one back
