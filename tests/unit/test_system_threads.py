"""Threads for system functions that are not async."""

import asyncio
import threading

import pytest

from services.executor.modes.system.threads import Threads
from shared.domain.limits import Limits
from shared.system import Context
from tests.limits import limits


async def test_results_and_errors_come_back() -> None:
    threads = Threads(2)
    assert await threads.run(lambda: threading.current_thread().daemon) is True
    with pytest.raises(RuntimeError, match="StopIteration"):
        await threads.run(lambda: next(iter([])))
    with pytest.raises(SystemExit):
        await threads.run(lambda: (_ for _ in ()).throw(SystemExit(3)))


async def test_one_that_is_given_up_keeps_its_place_until_it_ends() -> None:
    threads, end = Threads(1), threading.Event()
    given_up = asyncio.ensure_future(threads.run(end.wait))
    await asyncio.wait({given_up}, timeout=0.05)
    given_up.cancel()
    await asyncio.wait({given_up})
    second = asyncio.ensure_future(threads.run(lambda: "second"))
    await asyncio.wait({second}, timeout=0.1)
    assert not second.done()
    assert threads.busy == 1
    end.set()
    assert await asyncio.wait_for(second, 5) == "second"
    assert threads.busy == 0


def logging(bounds: Limits) -> Context:
    context = Context(task_id="t", tenant="acme", function="f", limits=bounds)
    for place in range(5):
        context.log(f"line {place}", data={"n": place})
    return context


def test_lines_are_bounded_in_count_and_bytes() -> None:
    assert [line.message for line in logging(limits(log_lines=2)).lines] == ["line 0", "line 1"]
    few = logging(limits(output_bytes=30))
    assert (len(few.lines), few.lines_lost) == (2, 3)
