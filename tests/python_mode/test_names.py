# ruff: noqa: E501 - a source in one string reads better than in pieces
"""Private names, the names that plugins are given, and classes as plugins write them."""

import pytest

from tests.python_mode.calling import Run, value_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRITTEN: dict[str, tuple[str, object]] = {
    "private names": (
        """
import math as _math
_PATTERN = 3
def _helper(_x, *_rest, _y=1, **_named):
    return _x + _y + _PATTERN
class _Own:
    pass
def main():
    global _made
    _made, (_a, *_b) = [_ for _ in [1]], (2, 3, 4)
    _a += 1
    try:
        raise ValueError('x')
    except ValueError as _error:
        text = str(_error)
    return [_helper(1, _y=2), _made, _a, _b, text, (_n := 7), sum(_x for _x in [1, 2]), _math.pi > 3, type(_Own()) is _Own]
""",
        [6, [1], 3, [3, 4], "x", 7, 3, True, True],
    ),
    "private attributes": (
        """
class Base:
    _shared = []
    _kind: int = 3
    def __init__(self):
        self._cache = {}
        self._n = 0
    def _get(self, key):
        self._n += 1
        self._cache[key] = self._n
        self._cache[key] *= 2
        return self._cache
    @property
    def _size(self):
        return len(self._cache)
    @classmethod
    def _make(cls):
        return cls()
class Derived(Base):
    def all(self):
        self._get('a')
        del self._n
        for self._i in [7]: pass
        self._p, _q = 1, 2
        Derived._count = 4
        Derived._count += 1
        self._shared.append(1)
        return [self._cache, hasattr(self, '_n'), Derived._count, self._i, self._p, _q, self._kind, self._size, Base._shared]
def main():
    return Derived._make().all()
""",
        [{"a": 2}, False, 5, 7, 1, 2, 3, 1, [1]],
    ),
    "private attributes by name": (
        """
class A:
    pass
def main():
    a = A()
    setattr(a, '_x', 1)
    had = [hasattr(a, '_x'), getattr(a, '_x'), getattr(a, '_y', 2)]
    delattr(a, '_x')
    return had + [hasattr(a, '_x')]
""",
        [True, 1, 2, False],
    ),
    "private attributes over built-in bases": (
        """
from collections import OrderedDict
class Failed(ValueError):
    def __init__(self, code):
        self._code = code
class Counted(dict):
    _hits = 0
    def at(self, key):
        self._hits += 1
        return self.get(key)
class Ordered(OrderedDict):
    def _first(self):
        return next(iter(self))
def main():
    counted = Counted(a=1)
    counted.at('a')
    try:
        raise Failed(4)
    except Failed as error:
        return [error._code, counted._hits, Ordered(b=1)._first()]
""",
        [4, 1, "b"],
    ),
}


@pytest.mark.parametrize("name", WRITTEN)
async def test_written_with_such_names(run: Run, name: str) -> None:
    source, expected = WRITTEN[name]
    assert value_of(await run(source)) == expected


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("import json\n    json._x", "Facade._x is private: such names are for the function's own classes"),
        ("import random\n    class R(random.Random): pass\n    R._x = 1", "R._x is private"),
        (
            "import random\n    class R(random.Random):\n        def _x(self): pass",
            "a class with the base Random cannot have private names, such as '_x'",
        ),
        ("class A: pass\n    A()._x", "'A' object has no attribute '_x'"),
    ],
)
async def test_what_is_refused_is_told(run: Run, body: str, told: str) -> None:
    assert told in (await run(f"def main():\n    {body}")).error
