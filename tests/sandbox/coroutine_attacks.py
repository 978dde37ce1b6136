# ruff: noqa: E501 - a source in one string reads better than in pieces
"""Attacks by way of coroutines and async generators: bodies of `async def main`. None may reach its `return 'escaped'`.

`f` is a coroutine function, `g` an async generator function, `asyncio` the facade.
"""

_LEADING = "cr_frame cr_code cr_await cr_origin ag_frame ag_code ag_await gi_frame gi_code gi_yieldfrom"
_MAGIC = "__await__ __aiter__ __anext__ __aenter__ __class__ __self__ __globals__ __del__"
_OBJECTS = {
    "a coroutine": "f()",
    "an async generator": "g()",
    "a step": "g().asend(None)",
    "a throw": "g().athrow(ValueError)",
    "an end": "g().aclose()",
    "a task": "asyncio.create_task(f())",
    "a coroutine of ours": "asyncio.sleep(0)",
    "a lock": "asyncio.Lock()",
    "a timeout": "asyncio.timeout(1)",
}

REFUSED = {
    **{
        f"{name} of {what}": f"({one}).{name}"
        for name in f"{_LEADING} {_MAGIC}".split()
        for what, one in _OBJECTS.items()
    },
    "frame that is awaited": "await f().cr_frame",
    "frame that is looped over": "async for x in g().ag_frame: pass",
    "frame in a comprehension": "[x async for x in g().ag_frame]",
    "frame by a loop into an attribute": "async for f().cr_frame in g(): pass",
    "frame by with": "async with f().cr_frame as x: pass",
    "read guard as a parameter": "async def h(_getattr_): pass",
    "await guard as a function": "async def _await_(x): return x",
    "await guard by a loop": "async for _await_ in g(): pass",
    "await guard by a comprehension": "[1 async for _await_ in g()]",
    "await guard by with": "async with asyncio.Lock() as _await_: pass",
    "await guard by with and unpacking": "async with asyncio.Lock() as (_await_, x): pass",
    "iteration guard by a walrus": "(_aiter_ := iter)",
    "iteration guard in a comprehension": "[(_aiter_ := x) async for x in g()]",
    "iteration guard by global": "global _aiter_",
    "temporary variable of the compiler": "_tmp0_ = 1",
    "awaitable class": "class A:\n        def __await__(self): yield 1",
    "asynchronous magic": "class A:\n        async def __aenter__(self): return 1",
    "asynchronous iterator": "class A:\n        def __aiter__(self): return self",
    "magic function": "async def __getattr__(x): pass",
    "await in an annotation": "class A(Exception):\n        x: (await f()) = 1",
    "await in a lambda": "lambda: await f()",
    "await in an ordinary function": "def h(): await f()",
    "name of a module": "from asyncio import sys",
    "part of the real module": "import asyncio.events",
    "exception group": "try: pass\n    except* ValueError: await f()",
}

FAILS = {
    **{
        f"{name} of {what} by name": f"getattr({one}, '{name}')"
        for name in ("cr_frame", "ag_frame", "cr_await", "ag_code", "__await__")
        for what, one in _OBJECTS.items()
    },
    "frame with a default": "getattr(f(), 'cr_frame', None)",
    "frame built from pieces": "getattr(f(), 'cr_' + 'frame')",
    "frame through map": "list(map(getattr, [f()], ['cr_frame']))",
    "frame through partial": "import functools\n    functools.partial(getattr, f(), 'cr_frame')()",
    "frame through to_thread": "await asyncio.to_thread(getattr, f(), 'cr_frame')",
    "frame through a callback": "asyncio.create_task(f()).add_done_callback(lambda t: getattr(t, 'cr_frame'))",
    "frame by format": "'{0.cr_frame}'.format(f())",
    "frame of the running coroutine": "c = h(lambda: getattr(c, 'cr_frame'))\n    await c",
    "frame of the running generator": "async for x in g():\n        getattr(g(), 'ag_frame')",
    "frame of the one who waits": "async def w(): return getattr(m, 'cr_await')\n    m = w()\n    await m",
    "frame through an error": "try:\n        await h(lambda: 1 / 0)\n    except ZeroDivisionError as e:\n        getattr(e, '__traceback__')",
    "frame through an error of a task": "getattr(asyncio.create_task(h(lambda: 1 / 0)).exception(), '__traceback__')",
    "type of a coroutine": "type(f())",
    "type of an async generator": "type(g())",
    "type of a step": "type(g().asend(None))",
    "type of an end": "type(g().aclose())",
    "type of a coroutine as a base": "class C(type(f())): pass",
    "coroutine as a base": "class C(f()): pass",
    "write to a coroutine": "f().x = 1",
    "write to a generator": "g().x = 1",
    "write to a task": "asyncio.create_task(f()).x = 1",
    "write to a coroutine function": "f.x = 1",
    "write to the facade": "asyncio.sleep = f",
    "write to a class of the facade": "asyncio.Task.result = f",
    "write to a class of the facade by setattr": "setattr(asyncio.Lock, 'locked', f)",
    "state of a task": "asyncio.create_task(f())._result",
    "state of a lock": "asyncio.Lock()._free = 7",
    "state of a lock, added to": "asyncio.Lock()._free += 7",
    "state of a lock by its slot": "asyncio.Lock._free",
    "state of a lock's subclass": "class L(asyncio.Lock): pass\n    L()._free = 7",
    "slot of a lock, shadowed": "class L(asyncio.Lock):\n        _free = 1",
    "deadline of a timeout": "asyncio.timeout(1)._deadline",
    "loop of the real module": "asyncio.get_event_loop()",
    "loop of the real module by name": "getattr(asyncio, 'events')",
    "process of the real module": "await asyncio.create_subprocess_exec('sh')",
    "socket of the real module": "await asyncio.open_connection('localhost', 80)",
    "await of a number": "await 3",
    "await of a generator": "await (x for x in [1])",
    "await of a facade": "await asyncio",
    "await of a class": "await asyncio.Task",
    "await of an async generator": "await g()",
    "await of what is none, in a task": "await asyncio.gather(3)",
    "await twice": "c = f()\n    await c\n    await c",
    "await of itself": "async def w(): await m\n    m = w()\n    await m",
    "send into itself": "async def w(): m.send(None)\n    m = w()\n    await m",
    "step of a generator inside itself": "async def w():\n        yield await m.asend(None)\n    m = w()\n    await m.asend(None)",
    "async for over a list": "async for x in [1]: pass",
    "async for over a lock": "async for x in asyncio.Lock(): pass",
    "async with over a dict": "async with {}: pass",
    "throw with a forged trace": "f().throw(ValueError, ValueError(), 3)",
    "throw into ours": "asyncio.sleep(1).throw(ValueError)",
    "close of what is running": "async def w(): m.close()\n    m = w()\n    await m",
    "generator that does not end": "async def w():\n        try:\n            yield 1\n        finally:\n            yield 2\n    m = w()\n    await m.asend(None)\n    await m.aclose()",
    "end of an iteration from a coroutine": "async def w(): raise StopIteration('escaped')\n    await w()",
    "end of an async iteration from a generator": "async def w():\n        raise StopAsyncIteration\n        yield\n    [x async for x in w()]",
    "system exit in a task": "async def w(): raise SystemExit(0)\n    asyncio.create_task(w())",
    "cancellation": "raise asyncio.CancelledError",
    "deep recursion of coroutines": "async def w(): await w()\n    await w()",
    "deep recursion of tasks": "async def w(): asyncio.create_task(w()).result()\n    await w()",
    "deep recursion of runs": "async def w(): asyncio.run(w())\n    await w()",
    "deep recursion of generators": "async def w():\n        async for x in w(): yield x\n    [x async for x in w()]",
    "deep recursion of timeouts": "async def w(): await asyncio.wait_for(w(), 9)\n    await w()",
    "sleep for no number": "await asyncio.sleep('1')",
    "sleep for not a number": "await asyncio.sleep(float('nan'))",
    "sleep for infinity": "await asyncio.sleep(float('inf'))",
    "sleep for a huge number": "await asyncio.sleep(10 ** 400)",
    "timeout of no number": "await asyncio.wait_for(f(), '1')",
    "semaphore of less than nothing": "asyncio.Semaphore(-1)",
    "release of what is free": "asyncio.Lock().release()",
    "lock that is held": "lock = asyncio.Lock()\n    await lock.acquire()\n    await lock.acquire()",
}

# Reachable and harmless: what it comes to must be exactly this.
TELLING = {
    "what cannot be had looks absent": (
        "return [n for o in [f(), g(), g().asend(None), asyncio.create_task(f())] for n in ['cr_frame', 'ag_frame', 'cr_code', 'ag_await', '__await__', '__class__'] if hasattr(o, n)]",
        [],
    ),
    "a step by hand": ("return [await g().asend(None), f().send]  and 1", 1),
    "a task tells nothing": ("return str(asyncio.create_task(f()))", "<Task>"),
    "methods of ours on an object of the code's": (
        "class Mine:\n        pass\n    mine = Mine()\n    try:\n        asyncio.Event.set(mine)\n    except TypeError:\n        return hasattr(mine, '_set')",
        False,
    ),
    "a result that is made up": (
        "class T(asyncio.Task):\n        def result(self): return 'made up'\n    return await T(f())",
        "made up",
    ),
}
