"""Caches: believed for a while, dropped on a change, used on when the store is away."""

import asyncio

import pytest

from shared.domain.problem import Problem
from shared.remembered import Remembered


class Source:
    """A store to ask, which can be away, or held up in the middle of an answer."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {"a": "1"}
        self.asked = 0
        self.away = False
        self.held = asyncio.Event()
        self.held.set()

    async def ask(self, key: str) -> str | None:
        self.asked += 1
        value = self.values.get(key)
        await self.held.wait()
        if self.away:
            raise Problem("unavailable", "away")
        return value


@pytest.fixture
def source() -> Source:
    return Source()


async def test_asked_once(source: Source):
    known = Remembered(source.ask, believed_s=60)
    assert [await known.find("a"), await known.find("a")] == ["1", "1"]
    assert source.asked == 1


async def test_nothing_is_not_remembered(source: Source):
    known = Remembered(source.ask, believed_s=60)
    assert await known.find("b") is None
    source.values["b"] = "2"
    assert await known.find("b") == "2"


async def test_dropped_on_a_change(source: Source):
    known = Remembered(source.ask, believed_s=60)
    await known.find("a")
    source.values["a"] = "2"
    known.drop("a")
    assert await known.find("a") == "2"


async def test_side_by_side_callers_ask_once(source: Source):
    known = Remembered(source.ask, believed_s=60)
    assert await asyncio.gather(*(known.find("a") for _ in range(10))) == ["1"] * 10
    assert source.asked == 1


async def test_an_answer_from_before_a_change_is_not_kept(source: Source):
    known = Remembered(source.ask, believed_s=60)
    source.held.clear()
    early = asyncio.create_task(known.find("a"))
    while not source.asked:
        await asyncio.sleep(0)
    source.values["a"] = "2"
    known.drop("a")
    source.held.set()
    assert await early == "1"
    assert await known.find("a") == "2"


async def test_an_old_answer_is_used_when_the_store_is_away(source: Source):
    known = Remembered(source.ask, believed_s=0)
    assert await known.find("a") == "1"
    source.away = True
    assert await known.find("a") == "1"
    source.values["a"] = "2"
    source.away = False
    source.held.clear()
    assert await asyncio.wait_for(known.find("a"), 0.5) == "1"  # it only looks in the background now
    source.held.set()
    assert await known.find("a") == "2"  # and has found the store again
    del source.values["a"]
    assert await known.find("a") is None


async def test_unknown_when_the_store_is_away(source: Source):
    known = Remembered(source.ask, believed_s=60)
    source.away = True
    with pytest.raises(Problem, match="away"):
        await known.find("a")


async def test_in_doubt_everything_is_asked_anew(source: Source):
    known = Remembered(source.ask, believed_s=60)
    await known.find("a")
    source.values["a"] = "2"
    known.doubt()
    assert await known.find("a") == "2"
    source.away = True
    known.doubt()
    assert await known.find("a") == "2"


async def test_bounded(source: Source):
    known = Remembered(source.ask, believed_s=60, most=2)
    source.values = {"a": "1", "b": "2", "c": "3"}
    for key in "abc":
        await known.find(key)
    await known.find("c")
    assert source.asked == 3
    await known.find("a")
    assert source.asked == 4


async def test_what_belongs_together_is_forgotten_together():
    asked: list[str] = []

    async def ask(key: str) -> str:
        asked.append(key)
        return key.upper()

    remembered: Remembered[str, str] = Remembered(ask, believed_s=60)
    for key in ("a1", "a2", "b1"):
        await remembered.find(key)
    remembered.drop_all(lambda key, value: key.startswith("a") and value.startswith("A"))
    assert [remembered.known(key) for key in ("a1", "a2", "b1")] == [None, None, "B1"]
    await remembered.find("a1")
    assert asked == ["a1", "a2", "b1", "a1"]
