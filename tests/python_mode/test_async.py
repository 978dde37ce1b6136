# ruff: noqa: E501 - a source in one string reads better than in pieces
"""Functions written with async and await."""

import pytest

from services.executor.modes.python.mode import PythonMode
from tests.python_mode.asking import request_call, response_of
from tests.python_mode.calling import Run, call_of, value_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

_BASICS = """
import asyncio
async def number(n):
    print("number", n)
    return n
async def numbers(n):
    try:
        for i in range(n):
            await asyncio.sleep(0)
            yield i, i * 2
    finally:
        print("closed")
class Counter:
    def __init__(self):
        self.n = 0
    async def up(self, by=1, *rest, **named):
        self.n += by
        return self
    @staticmethod
    async def of(n):
        return await Counter().up(n)
"""

WRITTEN: dict[str, tuple[str, object]] = {
    "await": ("return await number(1) + await number(2)", 3),
    "methods": ("return (await (await Counter.of(3)).up(*[4], **{'x': 1})).n", 7),
    "async for": (
        "out = []\n    async for a, (b) in numbers(3):\n        out.append(a + b)\n    else:\n        out.append('end')\n    return out",
        [0, 3, 6, "end"],
    ),
    "break out of async for": ("async for a, b in numbers(9):\n        if a == 2: break\n    return b", 4),
    "async for into an attribute": ("c = Counter()\n    async for c.n, b in numbers(3): pass\n    return c.n", 2),
    "comprehensions": (
        "return [[a async for a, b in numbers(3) if await number(a)], {a: b async for a, b in numbers(2)}, len({b async for a, b in numbers(3)}), [a for a in [1] if await number(a)]]",
        [[1, 2], {"0": 0, "1": 2}, 3, [1]],
    ),
    "async generator expression": ("return [x async for x in (b async for a, b in numbers(3))]", [0, 2, 4]),
    "async generator by hand": (
        "g = numbers(3)\n    first = await g.asend(None)\n    await g.aclose()\n    return first",
        [0, 0],
    ),
    "async closures": (
        "async def inside():\n        nonlocal n\n        n += 1\n        return n\n    n = 1\n    return [await inside(), await inside()]",
        [2, 3],
    ),
    "errors": (
        "async def fails(): raise ValueError('x')\n    try:\n        await fails()\n    except ValueError as e:\n        return str(e)\n    finally:\n        await number(1)",
        "x",
    ),
    "gather": ("return await asyncio.gather(number(1), asyncio.create_task(number(2)), number(3))", [1, 2, 3]),
    "gather of errors": (
        "async def fails(): raise ValueError('x')\n    return [str(x) for x in await asyncio.gather(fails(), number(1), return_exceptions=True)]",
        ["x", "1"],
    ),
    "gather that fails": (
        "async def fails(): raise ValueError('x')\n    try:\n        await asyncio.gather(fails(), number(1))\n    except ValueError as e:\n        return [str(e), printed]",
        ["x", "number 1\n"],
    ),
    "tasks": (
        "t = asyncio.create_task(number(5))\n    seen = []\n    t.add_done_callback(lambda t: seen.append(t.result()))\n    return [t.done(), t.cancel(), t.cancelled(), t.exception(), await t, await t, seen]",
        [True, False, False, None, 5, 5, [5]],
    ),
    "task that fails": (
        "async def fails(): raise KeyError('x')\n    t = asyncio.ensure_future(fails())\n    try:\n        await t\n    except KeyError as e:\n        return [type(t.exception()) is KeyError, t.done()]",
        [True, True],
    ),
    "to_thread": ("return await asyncio.to_thread(max, 1, 2)", 2),
    "sleep": (
        "import time\n    t = time.monotonic()\n    r = await asyncio.sleep(0.05, 'r')\n    return [r, time.monotonic() - t >= 0.05]",
        ["r", True],
    ),
    "wait_for in time": (
        "return await asyncio.wait_for(number(1), 60) + await asyncio.wait_for(number(1), timeout=None)",
        2,
    ),
    "wait_for too late": (
        "try:\n        await asyncio.wait_for(asyncio.sleep(3600), 0.01)\n    except asyncio.TimeoutError as e:\n        return type(e) is TimeoutError",
        True,
    ),
    "timeout": (
        "try:\n        async with asyncio.timeout(0.01) as t:\n            await asyncio.sleep(3600)\n    except TimeoutError:\n        await asyncio.sleep(0.02)\n        return t.expired()",
        True,
    ),
    "the nearer of two timeouts": (
        "out = []\n    try:\n        async with asyncio.timeout(0.01):\n            try:\n                await asyncio.wait_for(asyncio.sleep(3600), 60)\n            except TimeoutError:\n                out.append('inner')\n    except TimeoutError:\n        out.append('outer')\n    return out",
        ["outer"],
    ),
    "a timeout that is swallowed": (
        "async def stubborn():\n        try:\n            await asyncio.sleep(3600)\n        except asyncio.CancelledError:\n            await asyncio.sleep(0.01)\n            return 'done'\n    return await asyncio.wait_for(stubborn(), 0.01)",
        "done",
    ),
    "a timeout round gather": (
        "try:\n        await asyncio.wait_for(asyncio.gather(asyncio.sleep(3600), number(1)), 0.01)\n    except TimeoutError:\n        return printed",
        "",
    ),
    "lock, semaphore, event": (
        "lock, some, flag = asyncio.Lock(), asyncio.Semaphore(2), asyncio.Event()\n    async with lock, some:\n        held = lock.locked()\n        async with some: pass\n    flag.set()\n    return [held, lock.locked(), await flag.wait(), flag.is_set()]",
        [True, False, True, True],
    ),
    "a lock that would wait for ever": (
        "lock = asyncio.Lock()\n    async with lock:\n        try:\n            await lock.acquire()\n        except RuntimeError as e:\n            return str(e).split(':')[0]",
        "acquire() would wait for ever",
    ),
    "run": ("return asyncio.run(number(1))", 1),
    "questions": (
        "c = number(1)\n    return [asyncio.iscoroutinefunction(number), asyncio.iscoroutinefunction(len), asyncio.iscoroutine(c), await c]",
        [True, False, True, 1],
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
async def test_written_with_await(run: Run, name: str) -> None:
    body, expected = WRITTEN[name]
    assert value_of(await run(f"{_BASICS}\nasync def main():\n    {body}")) == expected


async def test_main_gets_its_arguments_and_may_hand_a_coroutine_on(run: Run) -> None:
    source = "async def work(params, context):\n    return [params['n'], context['username']]\ndef main(params, context):\n    return work(params, context)"
    assert value_of(await run(source, {"n": 1})) == [1, "ada"]
    assert value_of(await run("async def main(p, c, nothing):\n    return [p, nothing]", 2)) == [2, None]


async def test_handler_may_be_async(mode: PythonMode) -> None:
    source = "async def body(request): return {'method': request.method}\nasync def handler(request):\n    return await body(request)"
    assert response_of(await mode.run(await request_call(mode, source))).body == b'{"method":"GET"}'
    source = "async def main(params):\n    return [params]"
    assert response_of(await mode.run(await request_call(mode, source))).body == b"[{}]"


async def test_endless_recursion_is_an_error(run: Run) -> None:
    outcome = await run("async def f(n):\n    return await f(n + 1)\nasync def main():\n    return await f(0)")
    assert outcome.error.startswith("Execution failed: RecursionError")


async def test_a_coroutine_that_nobody_awaits_harms_nobody(mode: PythonMode) -> None:
    source = "kept = []\nasync def f(): print('ran')\nasync def g():\n    yield 1\n    print('ran')\nasync def main():\n    f()\n    kept.append(f())\n    a = g()\n    await a.asend(None)\n    kept.append([a, kept])\n    return len(kept)"
    call = await call_of(mode, source)
    for _ in range(3):
        outcome = await mode.run(call)
        assert value_of(outcome) == 2
        assert outcome.stdout == ""


async def test_a_timeout_ends_with_its_call(mode: PythonMode) -> None:
    """Also one that is never left, for the generator it is in is never gone on with."""
    source = "import asyncio\nasync def inside():\n    async with asyncio.timeout(0.01):\n        yield 1\nasync def main(params):\n    if params['first']:\n        return await inside().asend(None)\n    await asyncio.sleep(0.05)\n    return 2"
    assert value_of(await mode.run(await call_of(mode, source, {"first": True}))) == 1
    assert value_of(await mode.run(await call_of(mode, source, {"first": False}))) == 2


async def test_the_deadline_of_the_call_holds(run: Run) -> None:
    outcome = await run("import asyncio\nasync def main():\n    await asyncio.sleep(60)", timeout_s=0.3)
    assert outcome.error_type == "TimeoutError"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("await 3", "TypeError: int objects cannot be awaited"),
        ("await (x for x in [])", "TypeError: generator objects cannot be awaited"),
        ("await main", "TypeError: function objects cannot be awaited"),
        ("async for x in [1]: pass", "TypeError: 'async for' takes an async generator, not list objects: write 'for'"),
        (
            "return [x async for x in iter([])]",
            "TypeError: 'async for' takes an async generator, not list_iterator objects: write 'for'",
        ),
        (
            "return main()",
            "TypeError: result is not JSON serializable: Object of type coroutine is not JSON serializable",
        ),
        ("import asyncio\n    asyncio.run(3)", "TypeError: a coroutine was expected, not int objects"),
        (
            "import asyncio\n    await asyncio.Event().wait()",
            "RuntimeError: wait() would wait for ever: nothing else runs in this call that could end it",
        ),
        ("c = main()\n    c.close()\n    await c", "RuntimeError: cannot reuse already awaited coroutine"),
    ],
)
async def test_what_cannot_be_awaited_is_told(run: Run, body: str, told: str) -> None:
    outcome = await run(f"async def main():\n    {body}")
    assert outcome.error == f"Execution failed: {told}"
