"""What a function logs, and what is left of it beyond its limits."""

import time

from services.executor.modes.javascript.mode import JavascriptMode
from tests.javascript_mode.calling import Run, call_of, said


async def test_every_console_method_is_a_line_of_its_level(run: Run) -> None:
    before = time.time()
    outcome = await run("""export default () => {
      console.log("a %s %d", "b", 1, {c: [1]}); console.info("i"); console.warn("w"); console.error(new TypeError("t"));
      console.debug(null, undefined, 1n); console.assert(1 > 2, "no"); console.assert(true); console.table([1]);
      console.log("two\\nlines \\ud800"); console.trace("here"); return 1;
    }""")
    lines = [(line.level, line.message.splitlines()[0]) for line in outcome.logs]
    assert lines == [
        ("log", "a b 1 { c: [ 1 ] }"),
        ("info", "i"),
        ("warning", "w"),
        ("error", "TypeError: t"),
        ("debug", "null undefined 1n"),
        ("error", "Assertion failed no"),
        ("log", "[ 1 ]"),
        ("log", "two"),
        ("debug", "Trace: here"),
    ]
    assert outcome.logs[7].message == "two\nlines \ufffd"
    assert all(before - 1 <= line.at <= time.time() + 1 for line in outcome.logs)


async def test_what_is_logged_while_the_code_loads_belongs_to_the_first_call(mode: JavascriptMode) -> None:
    call = await call_of(mode, "console.log('loaded'); export default () => { console.log('called'); return 1; }")
    assert [line.message for line in (await mode.run(call)).logs] == ["loaded", "called"]
    assert [line.message for line in (await mode.run(call)).logs] == ["called"]


async def test_too_many_lines_are_counted(run: Run) -> None:
    outcome = await run("export default () => { for (let i = 0; i < 50; i++) console.log(i); return 1; }", log_lines=20)
    assert [line.message for line in outcome.logs] == [str(i) for i in range(20)]
    assert outcome.warnings == ["LogTruncated: at most 20 log lines are kept, 30 log lines left out"]
    assert said(outcome) == 1


async def test_too_long_lines_are_counted(run: Run) -> None:
    source = "export default () => { console.log('x'.repeat(5000)); console.log('short'); return 1; }"
    outcome = await run(source, output_bytes=1000)
    assert [line.message for line in outcome.logs] == ["short"]
    assert outcome.warnings == [
        "OutputTruncated: output and log lines are kept up to 1000 bytes, 1 log line left out",
    ]


async def test_what_was_logged_outlives_the_process(run: Run) -> None:
    for end in ("for (;;);", "Deno.exit(1)", "throw new Error('x')"):
        outcome = await run(f"export default () => {{ console.log('before'); {end} }}", timeout_s=1.5)
        assert outcome.status == "FAILURE"
        assert [line.message for line in outcome.logs] == ["before"]


async def test_what_an_ended_call_logs_later_is_nobodys(mode: JavascriptMode) -> None:
    source = """let calls = 0; export default async () => {
      if (calls++) { await new Promise((ok) => setTimeout(ok, 80)); return 2; }
      setTimeout(() => console.log("late"), 30); return 1; }"""
    call = await call_of(mode, source)
    other = await call_of(mode, source, task_id="0190a0b0-0000-7000-8000-000000000002")
    assert said(await mode.run(call)) == 1
    second = await mode.run(other)
    assert (said(second), second.logs) == (2, [])


async def test_a_process_of_its_own_does_not_stop_the_log(run: Run) -> None:
    """What bundlers put in the place of Node's."""
    source = """globalThis.process = { env: {} };
    export default () => { console.log("a %s", "b", { c: 1 }); return 1; }"""
    assert [line.message for line in (await run(source)).logs] == ["a b { c: 1 }"]
