"""Lines of a call, told while it runs."""

import asyncio
import os
import signal

import pytest

from services.executor.modes.javascript.mode import JavascriptMode
from tests.javascript_mode.calling import call_of
from tests.taker import Taker, numbers, told_to


async def test_a_line_comes_while_the_call_runs(mode: JavascriptMode) -> None:
    """It computes for as long as nobody has heard of the line."""
    live = Taker()
    source = "export default () => { console.log('here'); console.warn('there'); while (true); }"
    running = asyncio.ensure_future(mode.run(told_to(await call_of(mode, source), live)))
    await asyncio.wait_for(live.came.wait(), 20)
    assert (live.lines[0].message, live.lines[0].level, live.lines[0].n) == ("here", "log", 1)
    running.cancel()
    await asyncio.wait([running])


async def test_the_end_has_the_same_numbers(mode: JavascriptMode) -> None:
    for wanted in (True, False):
        live = Taker(wanted=wanted)
        source = f"export default () => {{ for (let i = 0; i < 15; i++) console.log(i); return {int(wanted)}; }}"
        outcome = await mode.run(told_to(await call_of(mode, source), live))
        assert outcome.said == 15
        assert [line.n for line in outcome.logs] == list(range(1, 16))
        assert numbers(live.lines) == (list(range(1, 16)) if wanted else [])


async def test_what_is_over_the_bounds_is_missed(mode: JavascriptMode) -> None:
    live = Taker()
    source = "export default () => { for (let i = 0; i < 50; i++) console.log(`${i}`); return 1; }"
    outcome = await mode.run(told_to(await call_of(mode, source, log_lines=20), live))
    assert (outcome.said, numbers(live.lines), live.missed) == (50, list(range(1, 21)), list(range(21, 51)))


async def test_what_the_process_itself_says_is_a_line(mode: JavascriptMode) -> None:
    live = Taker()
    source = """import process from "node:process";
    export default () => { process.stderr.write("plain\\n"); console.log("logged"); return 1; }"""
    outcome = await mode.run(told_to(await call_of(mode, source), live))
    assert outcome.status == "SUCCESS", outcome
    assert [(line.message, line.level) for line in live.lines] == [("plain", "error"), ("logged", "log")]


@pytest.mark.parametrize(
    ("end", "error_type"), [("for (;;);", "TimeoutError"), ("Deno.exit(3);", "WorkerDied"), ("kill();", "WorkerDied")]
)
async def test_a_call_that_is_cut_has_all_that_it_has_written(mode: JavascriptMode, end: str, error_type: str) -> None:
    """A line is out of the worker before the code goes on."""
    live = Taker()
    source = f"""const kill = () => {{ live(); for (;;); }};
    const live = () => console.log("live");
    export default () => {{ for (let i = 0; i < 10; i++) console.log(`${{i}}`); {end} }}"""
    running = asyncio.ensure_future(mode.run(told_to(await call_of(mode, source, timeout_s=3.0), live)))
    if end == "kill();":
        while not any(line.message == "live" for line in live.lines):
            await asyncio.wait_for(live.came.wait(), 20)
            live.came.clear()
        (worker,) = (one for one in mode._pool.live if one.link.asks.call is not None)
        os.kill(worker.link.pid, signal.SIGKILL)
    outcome = await asyncio.wait_for(running, 20)
    assert outcome.error_type == error_type
    assert [(line.n, line.message) for line in outcome.logs][:10] == [(i + 1, f"{i}") for i in range(10)]
    assert (outcome.said, numbers(live.lines)) == (len(outcome.logs), list(range(1, outcome.said + 1)))
