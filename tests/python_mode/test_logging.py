"""`log`: lines with a level and data, in one budget with what is printed; and what hostile code makes of it."""

import json
import time
from typing import Any

import pytest

from services.executor.mode import Artefact
from services.executor.modes.python.frames import LINE_BYTES
from services.executor.modes.python.mode import PythonMode
from shared.domain.outcome import Outcome
from tests.python_mode.calling import Run, call_of, value_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


def lines_of(outcome: Outcome) -> list[tuple[str, str, Any]]:
    return [(line.level, line.message, json.loads(bytes(line.data))) for line in outcome.logs]


async def test_lines_keep_order_level_and_data(run: Run) -> None:
    source = """
def main():
    log("plain")
    print("between")
    log("with data", "debug", {"a": [1, 2.5, None, True], "ü": "☃"})
    log(level="error", message=404, data=0)
    log({"any": "object"}, data="text")
    log("é" * 3, "warning", [])
"""
    before_s = time.time()
    outcome = await run(source)
    assert lines_of(outcome) == [
        ("info", "plain", None),
        ("debug", "with data", {"a": [1, 2.5, None, True], "ü": "☃"}),
        ("error", "404", 0),
        ("info", "{'any': 'object'}", "text"),
        ("warning", "ééé", []),
    ]
    assert (outcome.stdout, outcome.warnings) == ("between\n", [])
    times = [line.at for line in outcome.logs]
    assert before_s <= times[0] <= times[-1] <= time.time()
    assert times == sorted(times)


async def test_it_is_there_wherever_code_runs(run: Run) -> None:
    source = """
log("module")
class C:
    log("class body")
    def method(self): log("method")
def generator():
    log("generator")
    yield 1
def main(params, context=log("default")):
    (lambda: log("lambda"))()
    C().method()
    list(generator())
    [log(str(n)) for n in range(2)]
    list(map(log, ["map"]))
    log(*["star"], **{"level": "error"})
    def inner(): log("inner")
    inner()
"""
    said = [message for _, message, _ in lines_of(await run(source))]
    assert said == [
        "module",
        "class body",
        "default",
        "lambda",
        "method",
        "generator",
        "0",
        "1",
        "map",
        "star",
        "inner",
    ]


async def test_a_function_may_have_a_log_of_its_own(run: Run) -> None:
    assert value_of(await run("from math import log\ndef main(): return log(1)")) == 0
    assert value_of(await run("def main():\n    log = [1]\n    return log")) == [1]
    assert value_of(await run("def log(x): return x\ndef main(): return log(5)")) == 5


async def test_lines_of_a_call_that_fails_are_kept_and_none_of_the_call_before(run: Run) -> None:
    failed = await run("def main():\n    log('before')\n    return 1 / 0")
    assert (failed.error_type, lines_of(failed)) == ("SandboxError", [("info", "before", None)])
    full = await run("def main():\n    log('held', data=1)\n    x = [0] * 10 ** 9")
    assert (full.error_type, lines_of(full)) == ("MemoryError", [("info", "held", 1)])
    source = "def main(params):\n    log(params['n'])"
    for number in range(3):
        assert lines_of(await run(source, {"n": number})) == [("info", str(number), None)]


LEVELS = ["'fatal'", "'INFO'", "''", "None", "5", "['info']", "b'info'"]


@pytest.mark.parametrize("level", LEVELS)
async def test_another_level_is_an_error_that_names_them(run: Run, level: str) -> None:
    outcome = await run(f"def main():\n    log('x', {level})")
    assert outcome.error.endswith("ValueError: the level of log() must be one of: debug, log, info, warning, error")
    caught = await run(f"def main():\n    try: log('x', {level})\n    except ValueError: return 'caught'")
    assert (value_of(caught), caught.logs) == ("caught", [])


DATA = {
    "set": ("{1}", "set"),
    "not a number": ("float('nan')", "Out of range"),
    "infinite": ("[float('-inf')]", "Out of range"),
    "half a surrogate pair": ("'\\ud800'", "surrogate"),
    "half a pair as a key": ("{'\\udfff': 1}", "surrogate"),
    "object": ("object", "not JSON serializable"),
    "the function itself": ("log", "not JSON serializable"),
    "key that is a tuple": ("{(1, 2): 3}", "keys must be"),
    "bytes": ("b'x'", "bytes"),
    "keys that are one in JSON": ("[{1: 1, '1': 2}]", "two keys that are '1' in JSON"),
}


@pytest.mark.parametrize("name", DATA)
async def test_data_that_is_not_json_is_an_error_that_says_so(run: Run, name: str) -> None:
    data, reason = DATA[name]
    outcome = await run(f"def main():\n    log('x', data={data})")
    assert "TypeError: the data of log() is not JSON serializable: " in outcome.error
    assert reason in outcome.error
    assert outcome.logs == []


async def test_half_a_surrogate_pair_in_a_message_is_escaped(run: Run) -> None:
    assert lines_of(await run("def main(): log('a\\ud800b')")) == [("info", "a\\ud800b", None)]


async def test_a_line_and_its_overhead_share_the_bytes_with_what_is_printed(run: Run) -> None:
    source = "def main():\n    print('x' * 9)\n    log('é' * 3, data='abc')"
    exact = 10 + LINE_BYTES + 6 + 5
    whole = await run(source, output_bytes=exact)
    assert (len(whole.logs), whole.warnings) == (1, [])
    cut = await run(source, output_bytes=exact - 1)
    assert (cut.logs, cut.stdout) == ([], "x" * 9 + "\n")
    assert cut.status == "SUCCESS"
    told = f"OutputTruncated: output and log lines are kept up to {exact - 1} bytes, 1 log line left out"
    assert cut.warnings == [told]


async def test_printing_has_no_room_that_lines_have_taken(run: Run) -> None:
    outcome = await run("def main():\n    log('m' * 68)\n    print('x' * 50)", output_bytes=110)
    assert (len(outcome.logs), outcome.stdout) == (1, "x" * 10)
    assert outcome.warnings == ["OutputTruncated: output and log lines are kept up to 110 bytes"]


async def test_a_line_too_large_does_not_keep_the_next_from_being_kept(run: Run) -> None:
    outcome = await run("def main():\n    log('x' * 10 ** 7)\n    log('small')\n    log(1, data='y' * 10 ** 7)")
    assert lines_of(outcome) == [("info", "small", None)]
    assert outcome.warnings[0].endswith(", 2 log lines left out")


@pytest.mark.parametrize(("most", "told"), [(0, "0 log lines"), (1, "1 log line"), (3, "3 log lines")])
async def test_lines_over_their_number_are_left_out_and_counted(run: Run, most: int, told: str) -> None:
    outcome = await run("def main():\n    for n in range(10): log(n)\n    return 'done'", log_lines=most)
    assert value_of(outcome) == "done"
    assert [message for _, message, _ in lines_of(outcome)] == [str(n) for n in range(most)]
    assert outcome.warnings == [f"LogTruncated: at most {told} are kept, {10 - most} log lines left out"]


async def test_both_bounds_are_told_once_each(run: Run) -> None:
    source = "def main():\n    print('x' * 5000)\n    for n in range(5): log(n)\n    print('y')"
    outcome = await run(source, output_bytes=1000, log_lines=0)
    assert [warning.partition(":")[0] for warning in outcome.warnings] == ["OutputTruncated", "LogTruncated"]
    assert outcome.truncated


# Honest Python, meant badly: each must end so, and the next call finds a healthy worker.
HOSTILE: dict[str, tuple[str, str]] = {
    "level that equals everything": (
        "class L(str):\n        def __eq__(self, other): return True\n    log('x', L('fatal'))",
        "ValueError",
    ),
    "level of a subclass": ("class L(str): pass\n    log('x', L('info'))", "ValueError"),
    "recursive list": ("x = []\n    x.append(x)\n    log('x', data=x)", "TypeError"),
    "recursive dict": ("x = {}\n    x['x'] = x\n    log('x', data=x)", "TypeError"),
    "deep data": ("x = []\n    for _ in range(10 ** 5): x = [x]\n    log('x', data=x)", "TypeError"),
    "deep data, but not too deep to write": (
        "x = []\n    for _ in range(900): x = [x]\n    log('x', data=x)",
        "TypeError: the data of log() is not JSON serializable: it is nested too deeply",
    ),
    "items that raise": (
        "class D(dict):\n        def items(self): raise SystemExit\n    log('x', data=D(a=1))",
        "SystemExit",
    ),
    "items that log for ever": (
        "class D(dict):\n        def items(self): log('again', data=D(a=1))\n    log('x', data=D(a=1))",
        "TypeError",
    ),
    "keys that are not equal": (
        "class K(str):\n        def __eq__(self, o): raise ValueError('no')\n    log('x', data={'a': float('nan')})",
        "TypeError",
    ),
    "attribute of log": ("log.x", "AttributeError"),
    "owner of log": ("getattr(log, '__self__')", "AttributeError"),
    "function behind log": ("getattr(log, '__func__')", "AttributeError"),
    "old name of the function behind log": ("log.im_func", "AttributeError"),
    "type of log": ("type(log)", "TypeError"),
    "write to log": ("log.x = 1", "TypeError"),
    "write to log by name": ("setattr(log, 'x', 1)", "TypeError"),
    "item of log": ("log['x']", "TypeError"),
    "log as a base": ("class C(log): pass", "TypeError"),
    "owner by partial": ("import functools\n    getattr(functools.partial(log).func, '__self__')", "AttributeError"),
    "frame of an error in log": (
        "try: log('x', 'no')\n    except ValueError as e: getattr(e, '__traceback__')",
        "AttributeError",
    ),
    "context of an error in log": (
        "try: log('x', data={1})\n    except TypeError as e: getattr(e, '__context__')",
        "AttributeError",
    ),
    "format of a line": ("log('{0.__class__}'.format(1))", "AttributeError"),
    "too many arguments": ("log(1, 'info', 2, 3)", "TypeError"),
    "time of one's own": ("log('x', at=0)", "TypeError"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_lines_are_errors_of_the_function(mode: PythonMode, name: str) -> None:
    body, error = HOSTILE[name]
    source = f"def main(params):\n    if params: return 'well'\n    {body}\n    return 'escaped'"
    outcome = await mode.run(await call_of(mode, source))
    assert (outcome.status, outcome.error_type) == ("FAILURE", "SandboxError"), bytes(outcome.result)
    assert error in outcome.error
    assert value_of(await mode.run(await call_of(mode, source, {"n": 1}))) == "well"


async def test_a_text_that_the_function_writes_itself_is_refused_at_upload(mode: PythonMode) -> None:
    made = await mode.prepare("class M:\n    def __str__(self): return self\ndef main(): log(M())")
    assert not isinstance(made, Artefact)


async def test_a_str_with_methods_of_its_own_is_taken_for_its_letters(run: Run) -> None:
    source = "class S(str):\n    def encode(self, *a): return b'x' * 10 ** 6\n    def isascii(self): return 1\n"
    outcome = await run(source + "def main(): log(S('letters'), data=S('more'))")
    assert lines_of(outcome) == [("info", "letters", "more")]


async def test_millions_of_lines_cost_the_reply_nothing(run: Run) -> None:
    outcome = await run("def main():\n    for _ in range(10 ** 6): log('x', data=1)\n    return 'done'", log_lines=7)
    assert (value_of(outcome), len(outcome.logs)) == ("done", 7)
    assert outcome.warnings == ["LogTruncated: at most 7 log lines are kept, 999993 log lines left out"]


async def test_huge_data_is_left_out_or_ends_at_the_memory_limit(run: Run) -> None:
    left_out = await run("def main():\n    log('x', data=['y' * 100] * 10 ** 5)\n    return 'done'")
    assert (value_of(left_out), left_out.logs) == ("done", [])
    assert (await run("def main(): log('x', data=['y' * 1000] * 10 ** 6)")).error_type == "MemoryError"


async def test_numbers_and_text_that_look_like_json_stay_what_they_are(run: Run) -> None:
    source = "def main(): log('}],\"', data={'a': '\"}]', 'b': 10 ** 30, 'c': 1e308, 'd': '\\u2028\\x00'})"
    assert lines_of(await run(source)) == [
        ("info", '}],"', {"a": '"}]', "b": 10**30, "c": 1e308, "d": "\u2028\x00"}),
    ]
