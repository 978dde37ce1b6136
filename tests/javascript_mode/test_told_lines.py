"""Lines of a call, told while it runs."""

import asyncio

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
