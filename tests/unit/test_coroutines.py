"""The driver: coroutines to their end, async generators as ordinary ones."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from services.executor.modes.python.coroutines import awaitable, drained, finished


async def added(first: int, second: int) -> int:
    return first + second


async def nested(depth: int) -> int:
    return await nested(depth - 1) + 1 if depth else 0


async def numbers(seen: list[str], upto: int) -> AsyncGenerator[int, None]:
    try:
        for number in range(upto):
            yield await added(number, 0)
    finally:
        seen.append("closed")


def test_a_coroutine_gives_its_result_and_what_is_none_is_given_back() -> None:
    assert finished(added(1, 2)) == 3
    assert finished(nested(100)) == 100
    for value in (None, 3, "x", [1], added, iter([1]), (n for n in [1])):
        assert finished(value) is value
        assert drained(value) is value


def test_what_it_raises_is_raised() -> None:
    async def failing(error: BaseException) -> None:
        raise error

    for error in (ValueError("x"), SystemExit(3), StopAsyncIteration()):
        with pytest.raises(type(error)):
            finished(failing(error))
    with pytest.raises(RuntimeError, match="StopIteration"):
        finished(failing(StopIteration(1)))
    with pytest.raises(RecursionError):
        finished(nested(10_000))


def test_a_coroutine_that_suspends_is_told_and_closed() -> None:
    closed = []

    async def waiting() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            closed.append(True)

    with pytest.raises(RuntimeError, match="nobody in this call"):
        finished(waiting())
    assert closed == [True]


def test_an_async_generator_is_drained_step_by_step_and_closed() -> None:
    seen: list[str] = []
    assert list(drained(numbers(seen, 3))) == [0, 1, 2]
    assert seen == ["closed"]
    some = drained(numbers(seen, 3))
    assert next(some) == 0
    some.close()
    assert seen == ["closed", "closed"]


def test_only_what_is_known_can_be_awaited() -> None:
    class Foreign:
        def __await__(self) -> Any:
            yield

    for value in (Foreign(), 3, None, (n for n in [1]), added):
        with pytest.raises(TypeError, match="cannot be awaited"):
            awaitable(value)
        assert finished(value) is value
