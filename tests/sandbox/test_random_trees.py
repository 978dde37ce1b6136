"""Whatever syntax tree is thrown at it, the mode answers within the deadline and a second."""

import ast
import asyncio
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.executor.mode import Artefact, Call, Refusal
from services.executor.modes.python.mode import PythonMode, open_mode
from services.executor.modes.python.settings import PythonSettings
from shared.domain.version import code_hash
from tests.limits import limits

TIMEOUT_S = 0.2
COMPILE_S = 2.0
GRACE_S = 1.0

NAMES = [
    "a",
    "b",
    "main",
    "params",
    "context",
    "print",
    "len",
    "str",
    "getattr",
    "type",
    "range",
    "list",
    "super",
    "_p",
]
ATTRIBUTES = ["real", "append", "format", "mro", "obj", "keys", "gi_frame", "x", "__class__", "_y", "send"]
names = st.sampled_from(NAMES)
loads = names.map(lambda name: ast.Name(name, ast.Load()))
rarely = st.sampled_from([0, 0, 0, 1])
stores = names.map(lambda name: ast.Name(name, ast.Store()))
constants = st.one_of(
    st.integers(-(2**70), 2**70), st.text(max_size=5), st.binary(max_size=5), st.floats(), st.none(), st.booleans()
).map(ast.Constant)


def _grow(inner: st.SearchStrategy[ast.expr]) -> st.SearchStrategy[ast.expr]:
    some = st.lists(inner, max_size=3)
    operators = st.sampled_from([ast.Add, ast.Mult, ast.Pow, ast.LShift, ast.Mod, ast.MatMult, ast.BitOr])
    loops = st.builds(
        lambda target, over, is_async: ast.comprehension(target, over, [], is_async), stores, inner, rarely
    )
    return st.one_of(
        st.builds(lambda left, op, right: ast.BinOp(left, op(), right), inner, operators, inner),
        st.builds(lambda function, given: ast.Call(function, given, []), inner, some),
        st.builds(lambda target, name: ast.Attribute(target, name, ast.Load()), inner, st.sampled_from(ATTRIBUTES)),
        st.builds(lambda target, key: ast.Subscript(target, key, ast.Load()), inner, inner),
        st.builds(lambda items: ast.List(items, ast.Load()), some),
        st.builds(lambda body: ast.Lambda(_no_arguments(), body), inner),
        st.builds(lambda item, loop: ast.ListComp(item, [loop]), inner, loops),
        st.builds(lambda item, loop: ast.GeneratorExp(item, [loop]), inner, loops),
        st.builds(lambda value: ast.Starred(value, ast.Load()), inner),
        st.builds(ast.Await, inner),
        st.builds(ast.Yield, inner),
        st.builds(lambda name, value: ast.NamedExpr(ast.Name(name, ast.Store()), value), names, inner),
        st.builds(lambda value: ast.JoinedStr([ast.FormattedValue(value, -1)]), inner),
    )


expressions = st.recursive(st.one_of(loads, constants), _grow, max_leaves=12)


def _no_arguments() -> ast.arguments:
    return ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])


def _nest(inner: st.SearchStrategy[ast.stmt]) -> st.SearchStrategy[ast.stmt]:
    bodies = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.builds(lambda test, body: ast.While(test, body, []), expressions, bodies),
        st.builds(lambda target, over, body: ast.For(target, over, body, []), stores, expressions, bodies),
        st.builds(lambda test, body: ast.If(test, body, []), expressions, bodies),
        st.builds(
            lambda body, handler: ast.Try(body, [ast.ExceptHandler(None, None, handler)], [], []), bodies, bodies
        ),
        st.builds(lambda name, body: ast.FunctionDef(name, _no_arguments(), body, []), names, bodies),
        st.builds(lambda name, body: ast.AsyncFunctionDef(name, _no_arguments(), body, []), names, bodies),
        st.builds(lambda target, over, body: ast.AsyncFor(target, over, body, []), stores, expressions, bodies),
        st.builds(lambda value, body: ast.AsyncWith([ast.withitem(value)], body), expressions, bodies),
        st.builds(lambda name, body: ast.ClassDef(name, [], [], body, []), names, bodies),
        st.builds(lambda value, body: ast.With([ast.withitem(value)], body), expressions, bodies),
    )


simple = st.one_of(
    expressions.map(ast.Expr),
    st.builds(lambda target, value: ast.Assign([target], value), stores, expressions),
    st.builds(lambda target, value: ast.AugAssign(target, ast.Add(), value), stores, expressions),
    expressions.map(ast.Return),
    st.builds(lambda error: ast.Raise(error, None), expressions),
    st.sampled_from([ast.Pass, ast.Break, ast.Continue]).map(lambda kind: kind()),
    names.map(lambda name: ast.Global([name])),
    names.map(lambda name: ast.Import([ast.alias(name)])),
)
statements = st.recursive(simple, _nest, max_leaves=8)


def _source(body: list[ast.stmt], outside: list[ast.stmt]) -> str | None:
    """The text of a module with these statements in `main` and before it; None where there is no such text."""
    module = ast.Module([*outside, ast.AsyncFunctionDef("main", _no_arguments(), body, [])], [])
    try:
        return ast.unparse(ast.fix_missing_locations(module))
    except (ValueError, RecursionError):
        return None


async def _answer(mode: PythonMode, source: str) -> float:
    """Seconds until the call was answered; a refusal answers at once."""
    made = await mode.prepare(source)
    if isinstance(made, Refusal):
        return 0.0
    assert isinstance(made, Artefact)
    call = Call(
        task_id="random",
        tenant="acme",
        function_id=1,
        code_hash=code_hash(source),
        artefact=made,
        params=b"{}",
        context={},
        limits=limits(timeout_s=TIMEOUT_S, memory_mb=32, output_bytes=1000, result_bytes=1000),
    )
    started = time.monotonic()
    outcome = await mode.run(call)
    assert outcome.status in {"SUCCESS", "FAILURE"}
    assert outcome.error_type != "SandboxViolation"
    return time.monotonic() - started


def test_random_trees_are_answered_in_time() -> None:
    """On a loop of its own, for the examples are drawn by a function that does not wait."""
    with asyncio.Runner() as runner:

        async def opened() -> PythonMode:
            return await open_mode(PythonSettings(compile_timeout_s=COMPILE_S))

        mode = runner.run(opened())
        tried = 0

        @settings(
            max_examples=150,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )
        @given(st.lists(statements, min_size=1, max_size=4), st.lists(statements, max_size=2))
        def check(body: list[ast.stmt], outside: list[ast.stmt]) -> None:
            nonlocal tried
            source = _source(body, outside)
            if source is None:
                return
            took_s = runner.run(asyncio.wait_for(_answer(mode, source), COMPILE_S + TIMEOUT_S + 5 * GRACE_S))
            assert took_s < TIMEOUT_S + GRACE_S
            tried += took_s > 0

        check()
        runner.run(mode.close())
    assert tried > 10, "most trees must not be refused, else nothing is tested"
