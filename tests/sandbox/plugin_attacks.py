"""Attacks by classes of plugins: bodies of `class Filter`, behind HEAD, called with the body `{"a": 1}`."""

HEAD = """
import asyncio, functools, json, random
from pydantic import BaseModel, Field, SecretStr, field_validator
"""

# The call fails as the function's own fault, and this is in what is told.
FAULTS = {
    "hook that leaves": (
        "@property\n    def inlet(self): raise SystemExit(3)",
        "SystemExit: 3",
    ),
    "hook that is a number": ("inlet = 5", "no method 'inlet'"),
    "hook that is a class of ours": ("inlet = type(asyncio.timeout(1))", "TypeError"),
    "hook that is a function of ours": ("inlet = asyncio.gather", "cannot be awaited"),
    "hook that is a guard": ("inlet = setattr", "TypeError"),
    "valves that fail": ("Valves = property(lambda self: 1 / 0)\n    def inlet(self, body): pass", "ZeroDivisionError"),
    "valves that cannot be set": (
        "class Valves(BaseModel):\n        n: int = 1\n"
        "    valves = property(lambda self: 1)\n    def inlet(self, body): pass",
        "AttributeError",
    ),
    "event that is in itself": (
        "def inlet(self, __event_emitter__):\n"
        "        event = {'type': 'x'}\n        event['data'] = event\n        __event_emitter__(event)",
        "Circular reference",
    ),
    "event that is a list": ("def inlet(self, __event_emitter__): __event_emitter__([1])", "an event is a dict"),
    "event of a text of one's own": (
        "def inlet(self, __event_emitter__):\n        class S(str): pass\n        __event_emitter__({'type': S('x')})",
        "an event is a dict",
    ),
    "result that dumps itself": (
        "def inlet(self, body):\n        class M(BaseModel):\n"
        "            def model_dump(self, mode): return M()\n        return M()",
        "recursion",
    ),
    "result that leaves": (
        "def inlet(self, body):\n        class M(BaseModel):\n"
        "            def model_dump(self, mode): raise SystemExit(5)\n        return M()",
        "SystemExit: 5",
    ),
    "parts that are no values": (
        "def inlet(self, body):\n        yield 1\n        yield self",
        "not JSON serializable",
    ),
    "coroutine of coroutines": (
        "async def deeper(self): return await self.deeper()\n    async def inlet(self): return await self.deeper()",
        "RecursionError",
    ),
}

# The call ends because of one of its limits.
ENDS = {
    "parts without an end": ("def inlet(self, body):\n        while True: yield 'a' * 100000", "ResultTooLarge"),
    "parts of nothing without an end": (
        "def inlet(self, body):\n        while True: yield ''",
        "TimeoutError MemoryError",
    ),
    "parts that go on when they are ended": (
        "async def inlet(self, body):\n        try:\n            yield 'a' * 10 ** 7\n"
        "        finally:\n            yield 1",
        "ResultTooLarge",
    ),
    "parts that leave when they are ended": (
        "def inlet(self, body):\n        try:\n            yield 'a' * 10 ** 7\n"
        "        finally:\n            raise SystemExit(1)",
        "ResultTooLarge",
    ),
    "a hook without an end": ("def inlet(self, body):\n        while True: pass", "TimeoutError"),
}

# What is found of the valves, in place of the choices that are asked for by these names.
OPTIONS = ("mro", "__subclasses__", "__init__", "model_construct", "model_fields", "a.b", "", "missing", "numbers")
