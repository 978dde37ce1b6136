"""What a handler gets, and what becomes of what it returns, prints and raises."""

import json

import msgspec
import pytest

from services.executor.mode import Artefact
from services.executor.modes.python.mode import PythonMode
from tests.python_mode.calling import CONTEXT, Run, call_of, value_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

TAX = """
def main(params, user_data):
    amount = params.get('amount', 0)
    rate = params.get('rate', 0.1)
    tax = amount * rate
    return {'amount': amount, 'tax': tax, 'total': amount + tax}
"""


async def test_tax(run: Run) -> None:
    assert value_of(await run(TAX, {"amount": 100, "rate": 0.25})) == {"amount": 100, "tax": 25.0, "total": 125.0}


async def test_transformer(run: Run) -> None:
    source = "def main(params, context):\n    data = params['data']\n    return {'out': [x*2 for x in data]}"
    assert value_of(await run(source, {"data": [1, 2, 3]})) == {"out": [2, 4, 6]}


async def test_greeting_reads_the_global_context_and_prints(run: Run) -> None:
    source = """
def main(params, user_data):
    print('Greeting', context['user']['username'])
    return f"Hello, {context['user']['username']}!"
"""
    outcome = await run(source)
    assert value_of(outcome) == "Hello, ada!"
    assert outcome.stdout == "Greeting ada\n"
    assert not outcome.truncated


@pytest.mark.parametrize(
    ("signature", "returned", "expected"),
    [
        ("", "'none'", "none"),
        ("params", "params", {"a": 1}),
        ("params, ctx", "[params, ctx]", [{"a": 1}, CONTEXT]),
        ("params, ctx, third", "[ctx, third]", [CONTEXT, None]),
        ("params, ctx, third=5", "third", 5),
        ("params, ctx=None", "ctx", CONTEXT),
        ("params, /, ctx", "ctx", CONTEXT),
        ("*args", "list(args)", [{"a": 1}, CONTEXT]),
        ("params, *rest", "list(rest)", [CONTEXT]),
        ("params, **named", "named", {}),
        ("params, *, flag=3", "flag", 3),
    ],
)
async def test_main_is_bound_by_its_arity(run: Run, signature: str, returned: str, expected: object) -> None:
    assert value_of(await run(f"def main({signature}):\n    return {returned}", {"a": 1})) == expected


async def test_second_argument_is_the_global_context(run: Run) -> None:
    assert value_of(await run("def main(params, user_data):\n    return user_data is context")) is True


async def test_decorated_main_gets_params_and_context(run: Run) -> None:
    source = """
import functools
def shout(f):
    @functools.wraps(f)
    def inner(*args, **kwargs):
        return f(*args, **kwargs).upper()
    return inner
@shout
def main(params, ctx):
    return params['word'] + ctx['username']
"""
    assert value_of(await run(source, {"word": "hi "})) == "HI ADA"


@pytest.mark.parametrize("source", ["x = 1", "main = 3", "def Main(): pass", ""])
async def test_no_main(run: Run, source: str) -> None:
    outcome = await run(source)
    error = "Code must define a 'main' function"
    assert (outcome.error_type, outcome.error) == ("SandboxError", error)
    assert outcome.message == f"SandboxError: {error}"
    assert outcome.traceback == f"SandboxError: {error}, or a 'handler' function that answers requests"


async def test_exception_has_the_functions_own_frames(run: Run) -> None:
    source = "import json\n\ndef deeper(x):\n    return json.loads(x)\n\ndef main(params):\n    return deeper('{')"
    outcome = await run(source)
    assert outcome.error_type == "SandboxError"
    assert outcome.error.startswith("Execution failed: JSONDecodeError: Expecting property name")
    lines = outcome.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1:3] == ['  File "<function>", line 7, in main', '  File "<function>", line 4, in deeper']
    assert lines[3].startswith("JSONDecodeError: ")
    assert len(lines) == 4


async def test_output_before_an_exception_is_kept(run: Run) -> None:
    outcome = await run("def main():\n    print('so far')\n    raise ValueError('text')")
    assert outcome.error == "Execution failed: ValueError: text"
    assert outcome.stdout == "so far\n"


async def test_endless_recursion_is_told_in_twenty_lines(run: Run) -> None:
    outcome = await run("def f(n):\n    return f(n + 1) + 1\ndef main():\n    return f(0)")
    assert outcome.error.startswith("Execution failed: RecursionError")
    assert len(outcome.traceback.splitlines()) == 20
    assert "more ..." in outcome.traceback


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "BaseException", "GeneratorExit"])
async def test_exceptions_that_would_end_a_process_do_not(mode: PythonMode, name: str) -> None:
    call = await call_of(mode, f"def main(params):\n    if params:\n        raise {name}('no')\n    return 1", {"x": 1})
    before = mode.facts()["counts"].get("died", 0)
    assert (await mode.run(call)).error == f"Execution failed: {name}: no"
    assert mode.facts()["counts"].get("died", 0) == before


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("{1, 2}", "set"),
        ("object()", "object"),
        ("float('nan')", "Out of range float"),
        ("float('inf')", "Out of range float"),
        ("(x for x in [])", "generator"),
        ("{(1, 2): 3}", "keys must be"),
        ("b'bytes'", "bytes"),
        ("10 ** 10000", "4300"),
        ("'half \\ud800'", "surrogate"),
        ("cycle()", "Circular"),
        ("deep()", "recursion"),
        ("print", "method"),
        ("{1: 'a', '1': 'b'}", "two keys that are '1' in JSON"),
        ("[{'in': ({None: 1, 'null': 2},)}]", "'null'"),
        ("{True: 1, 'true': 2}", "'true'"),
        ("{0.5: 1, '0.5': 2}", "'0.5'"),
    ],
)
async def test_result_that_is_not_json(run: Run, expression: str, reason: str) -> None:
    source = f"""
def cycle():
    a = []
    a.append(a)
    return a
def deep():
    a = []
    for _ in range(100000):
        a = [a]
    return a
def main():
    return {expression}
"""
    outcome = await run(source)
    assert outcome.error_type == "SandboxError"
    assert outcome.error.startswith("Execution failed: TypeError: result is not JSON serializable: ")
    assert reason in outcome.error


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "ü\u2028\U0001f41f", [], {}, [[1, "2", {"3": None}]], 2**70])
async def test_json_comes_back_as_it_went_in(run: Run, value: object) -> None:
    assert value_of(await run("def main(params):\n    return params", [value])) == [value]


async def test_lone_surrogates_in_output_and_error_are_escaped(run: Run) -> None:
    outcome = await run("def main():\n    print('a\\ud800b')\n    raise ValueError('c\\udfffd')")
    assert outcome.stdout == "a\\ud800b\n"
    assert outcome.error == "Execution failed: ValueError: c\\udfffd"


async def test_print_keeps_its_order_over_scopes(run: Run) -> None:
    source = """
print('module')
def helper():
    print('helper', 1, 2, sep='-', end='.\\n')
class Loud:
    def __init__(self):
        print('class')
def main():
    print('main')
    helper()
    Loud()
    print('end', flush=True)
"""
    assert (await run(source)).stdout == "module\nmain\nhelper-1-2.\nclass\nend\n"


async def test_print_takes_no_file(run: Run) -> None:
    outcome = await run("def main():\n    print('x', file=[])")
    assert outcome.error == "Execution failed: TypeError: print() takes no file here"


async def test_usage_is_measured(run: Run) -> None:
    outcome = await run("def main():\n    return len([0] * 3_000_000) + sum(range(1_000_000))")
    assert outcome.usage.cpu_s > 0.001
    assert outcome.usage.peak_bytes > 24_000_000


async def test_artefact_of_another_compiler_is_a_fault_of_ours(mode: PythonMode) -> None:
    call = await call_of(mode, TAX)
    with pytest.raises(ValueError, match="py2"):
        await mode.run(msgspec.structs.replace(call, artefact=Artefact("py2", b"")))


async def test_large_params_and_large_results_pass(run: Run) -> None:
    text = "x" * 3_000_000
    outcome = await run("def main(params):\n    return params['t'] + '!'", {"t": text}, result_bytes=4_000_000)
    assert value_of(outcome) == text + "!"


async def test_params_that_are_not_json_fail_the_call(mode: PythonMode) -> None:
    call = msgspec.structs.replace(await call_of(mode, TAX), params=b"{")
    assert (await mode.run(call)).error.startswith("Execution failed: JSONDecodeError")
    assert json.loads(bytes((await mode.run(await call_of(mode, TAX))).result))["total"] == 0
