# ruff: noqa: E501 - a source in one string reads better than in pieces
"""The Python a function may be written in."""

import pytest

from services.executor.modes.python.facades import MODULES
from tests.python_mode.calling import Run, value_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

IDIOMS: dict[str, tuple[str, object]] = {
    "count into a dict": (
        """
def main():
    d = {}
    for w in 'a b a'.split():
        d[w] = d.get(w, 0)
        d[w] += 1
    return d
""",
        {"a": 2, "b": 1},
    ),
    "every in-place operator": (
        """
def main():
    d = {'x': 7}
    d['x'] -= 1
    d['x'] *= 5
    d['x'] //= 4
    d['x'] **= 2
    d['x'] %= 40
    d['x'] <<= 3
    d['x'] >>= 1
    d['x'] |= 1
    d['x'] ^= 2
    d['x'] &= 62
    d['x'] /= 2
    return d
""",
        {"x": 19.0},
    ),
    "slices": (
        """
def main():
    a = [1, 2, 3, 4]
    a[1:3] += [9]
    a[0:1] = [0]
    del a[-1]
    return a[::-1]
""",
        [9, 3, 2, 0],
    ),
    "nested places": (
        """
def main():
    d = {'a': [{'n': 1}]}
    d['a'][0]['n'] += 4
    return d
""",
        {"a": [{"n": 5}]},
    ),
    "key evaluated once": (
        """
def main():
    calls = []
    def key():
        calls.append(1)
        return 'k'
    d = {'k': 1}
    d[key()] += 1
    return [d, len(calls)]
""",
        [{"k": 2}, 1],
    ),
    "attributes": (
        """
class P:
    n: int = 0
    def __init__(self, n):
        self.n: int = n
    def more(self):
        self.n += 2
        return self
def main():
    p = P(1).more()
    p.tag = 'x'
    P.kind = 'k'
    return [p.n, p.tag, P.kind]
""",
        [3, "x", "k"],
    ),
    "annotations": (
        """
x: int = 1
y: str
def main(params: dict, c, n: 'int' = 2) -> list[int]:
    z: list[int] = [x]
    z += [n]
    return z
""",
        [1, 2],
    ),
    "inheritance": (
        """
class A:
    def area(self):
        return 1
class B(A):
    def twice(self):
        return self.area() * 2
def main():
    return [B().twice(), isinstance(B(), A)]
""",
        [2, True],
    ),
    "what is above": (
        """
from pydantic import BaseModel
class Base:
    def __init__(self, *args, **named):
        self.args, self.named = args, named
    def told(self):
        return 'base'
    def _hidden(self):
        return 'hidden'
    @classmethod
    def made(cls, n):
        return cls(n)
class Left(Base):
    def told(self):
        return 'left ' + super().told()
class Right(Base):
    def told(self):
        return 'right ' + super().told()
class Both(Left, Right):
    def __init__(self, n):
        super().__init__(*[n], **{'m': n})
        self.n = n
    def told(self):
        return 'both ' + super().told()
    def _hidden(self):
        return 'more ' + super()._hidden()
    @classmethod
    def made(cls, n):
        return super().made(n + 1)
    def hidden(self):
        return self._hidden()
class Short(Exception):
    def __init__(self, message, code=1):
        super().__init__(message)
        self.code = code
class Table(dict):
    def get(self, key, default=None):
        return [super().get(key, default)]
class Valves(BaseModel):
    n: int = 0
    def __init__(self, **data):
        super().__init__(**{k.lower(): v for k, v in data.items()})
    def model_dump(self):
        return {'dumped': super().model_dump()}
async def late():
    class Late(Base):
        async def told(self):
            return super().told()
    return await Late().told()
async def main():
    both = Both.made(1)
    try:
        raise Short('too short', code=3)
    except Short as e:
        short = [str(e), e.code]
    return [both.told(), both.args, both.named, both.hidden(), short, Table(a=1).get('a'), Valves(N='4').model_dump(), await late()]
""",
        ["both left right base", [2], {"m": 2}, "more hidden", ["too short", 3], [1], {"dumped": {"n": 4}}, "base"],
    ),
    "own exception": (
        """
class Short(ValueError):
    pass
def main():
    try:
        raise Short('s')
    except ValueError as e:
        return str(e)
    finally:
        print('done')
""",
        "s",
    ),
    "nonlocal": (
        """
def main():
    n = 0
    def up():
        nonlocal n
        n += 1
        return n
    up()
    return up()
""",
        2,
    ),
    "global": (
        """
n = 0
def main():
    global n
    n += 1
    return n
""",
        1,
    ),
    "f-strings": (
        """
def main():
    v = 3.14159
    w = 8
    return f'{v:>{w}.2f}|{w!r}|{w=}'
""",
        "    3.14|8|w=8",
    ),
    "percent and format()": (
        """
def main():
    return '%s %03d' % ('a', 7) + format(0.5, '.1%')
""",
        "a 00750.0%",
    ),
    "generators": (
        """
def gen(n):
    for i in range(n):
        yield i
    yield from 'ab'
def main():
    return list(gen(2)) + [sum(x * x for x in range(4))]
""",
        [0, 1, "a", "b", 14],
    ),
    "decorators": (
        """
def twice(f):
    return lambda *a, **k: f(*a, **k) * 2
@twice
def g(a, b=1):
    return a + b
def main():
    return g(1, b=2)
""",
        6,
    ),
    "comprehensions": (
        """
def main():
    return [[x for x in range(3) if x], {k: v for k, v in [('a', 1)]}, sorted({i % 2 for i in range(5)})]
""",
        [[1, 2], {"a": 1}, [0, 1]],
    ),
    "unpacking": (
        """
def main():
    (a, (b, *c)), d = (1, (2, 3, 4)), {**{'x': 1}, 'y': 2}
    return [a, b, c, d]
""",
        [1, 2, [3, 4], {"x": 1, "y": 2}],
    ),
    "walrus": (
        """
def main():
    return [y for x in range(3) if (y := x * 2)]
""",
        [2, 4],
    ),
    "star calls": (
        """
def f(*a, **k):
    return [list(a), k]
def main():
    return f(*[1, 2], **{'z': 3})
""",
        [[1, 2], {"z": 3}],
    ),
    "with": (
        """
from decimal import Decimal, localcontext, getcontext
def main():
    with localcontext() as c:
        c.prec = 3
        a = str(Decimal(1) / 3)
    getcontext().prec = 5
    return [a, str(Decimal(1) / 3)]
""",
        ["0.333", "0.33333"],
    ),
    "builtins": (
        """
def main():
    return [list(map(str, [1])), list(filter(None, [0, 1])), max(1, 2), min([3, 4]), any([0]), all([]), list(zip('a', 'b')), list(enumerate('x')), sorted([2, 1], reverse=True), list(reversed([1, 2])), tuple([1]), next(iter([5])), sum([1, 2]), bin(5)]
""",
        [["1"], [1], 2, 3, False, True, [["a", "b"]], [[0, "x"]], [2, 1], [2, 1], [1], 5, 3, "0b101"],
    ),
    "guarded builtins": (
        """
class A:
    pass
def main():
    a = A()
    setattr(a, 'x', 1)
    had = hasattr(a, 'x')
    delattr(a, 'x')
    return [had, hasattr(a, 'x'), getattr(a, 'y', 2), type(1) is int, type(a) is A]
""",
        [True, False, 2, True, True],
    ),
    "properties": (
        """
class A:
    @property
    def two(self):
        return 2
    @staticmethod
    def three():
        return 3
    @classmethod
    def make(cls):
        return cls()
def main():
    return [A().two, A.three(), A.make().two]
""",
        [2, 3, 2],
    ),
    "optional import": (
        """
try:
    import numpy
except ImportError as e:
    numpy = None
def main():
    return numpy
""",
        None,
    ),
    "future and typing": (
        """
from __future__ import annotations
from typing import Any, Dict, Optional, TypeVar, cast
T = TypeVar('T')
Json = Dict[str, Any]
def main(params: Json, c: Optional[Json] | None = None) -> Json:
    return cast(Json, {'ok': 1})
""",
        {"ok": 1},
    ),
}

FACADES_USED = {
    "asyncio": ("asyncio.run(asyncio.wait_for(asyncio.sleep(0, [3]), timeout=60))", [3]),
    "base64": ("base64.b64encode(b'hi').decode()", "aGk="),
    "bisect": ("bisect.bisect([1, 3], 2)", 1),
    "calendar": ("[calendar.monthrange(2024, 2)[1], calendar.day_name[0]]", [29, "Monday"]),
    "collections": ("[collections.Counter('aab')['a'], collections.namedtuple('P', 'x y')(1, 2).y]", [2, 2]),
    "collections.abc": (
        "[isinstance(1, collections.abc.Mapping), isinstance({}, (str, collections.abc.Mapping))]",
        [False, True],
    ),
    "copy": ("[copy.copy({1: 2}), copy.deepcopy([[3]])]", [{"1": 2}, [[3]]]),
    "datetime": (
        "str(datetime.datetime.strptime('2024-02-29', '%Y-%m-%d').date() + datetime.timedelta(1))",
        "2024-03-01",
    ),
    "decimal": ("str(decimal.Decimal('0.1') + decimal.Decimal('0.2'))", "0.3"),
    "fractions": ("str(fractions.Fraction(2, 4))", "1/2"),
    "functools": ("functools.reduce(lambda a, b: a * b, [1, 2, 3]) + functools.partial(max, 4)(1)", 10),
    "hashlib": ("hashlib.sha256(b'').hexdigest()[:8] + hashlib.md5(b'').hexdigest()[:4]", "e3b0c442d41d"),
    "heapq": ("heapq.nsmallest(2, [3, 1, 2])", [1, 2]),
    "hmac": ("hmac.compare_digest(hmac.new(b'k', b'm', 'sha256').digest(), hmac.digest(b'k', b'm', 'sha256'))", True),
    "html": ("html.escape('<b>')", "&lt;b&gt;"),
    "itertools": ("list(itertools.chain([1], itertools.islice(itertools.count(5), 2)))", [1, 5, 6]),
    "json": ("json.loads(json.dumps({'a': [1]}, indent=1, default=str))", {"a": [1]}),
    "logging": ("logging.getLogger(__name__).isEnabledFor(logging.DEBUG)", True),
    "math": ("math.floor(math.sqrt(17)) + math.gcd(4, 6)", 6),
    "operator": ("sorted([{'n': 2}, {'n': 1}], key=operator.itemgetter('n'))[0]['n'] + operator.add(1, 1)", 3),
    "pydantic": (
        "pydantic.HttpUrl('HTTP://B\u00fccher.example').host + str(pydantic.SecretStr('a'))",
        "xn--bcher-kva.example**********",
    ),
    "random": ("[random.randint(4, 4), random.Random(1).random() == random.Random(1).random()]", [4, True]),
    "re": ("[re.findall('[a-c]', 'ABd', re.I), re.sub('(b)', lambda m: m.group(1) * 2, 'abc')]", [["A", "B"], "abbc"]),
    "secrets": ("len(secrets.token_hex(4))", 8),
    "statistics": ("[statistics.mean([1, 2, 3]), statistics.median([1, 5, 2])]", [2, 2]),
    "string": ("string.digits", "0123456789"),
    "textwrap": ("textwrap.dedent('  a') + textwrap.shorten('hello big world', 11)", "ahello [...]"),
    "time": (
        "[time.strftime('%Y', time.gmtime(0)), time.strptime('2024', '%Y').tm_year, time.time() > 1.6e9]",
        ["1970", 2024, True],
    ),
    "traceback": ("traceback.format_exc()", "NoneType: None\n"),
    "typing": ("typing.cast(typing.List[int], 3)", 3),
    "urllib.parse": ("urllib.parse.urlencode({'a': 'b c'}) + urllib.parse.urlparse('http://h:1/p').hostname", "a=b+ch"),
    "uuid": (
        "str(uuid.UUID(int=1))[-4:] + str(uuid.uuid4().version) + uuid.uuid5(uuid.NAMESPACE_DNS, 'a').hex[:2]",
        None,
    ),
}


@pytest.mark.parametrize("name", IDIOMS)
async def test_idiom(run: Run, name: str) -> None:
    source, expected = IDIOMS[name]
    assert value_of(await run(source)) == expected


async def test_every_facade_is_tried() -> None:
    assert sorted(FACADES_USED) == sorted(MODULES)


@pytest.mark.parametrize("module", FACADES_USED)
async def test_facade(run: Run, module: str) -> None:
    expression, expected = FACADES_USED[module]
    value = value_of(await run(f"import {module}\ndef main():\n    return {expression}"))
    assert value == expected or (expected is None and value.startswith("00014"))


async def test_every_way_to_import(run: Run) -> None:
    source = """
import urllib.parse as parse
from urllib import parse as again
from urllib.parse import quote
import math as m, json
def main():
    from datetime import datetime as dt
    return [parse.quote('a b'), again is parse, quote('/'), m.pi > 3, dt(2024, 1, 2).isoformat()]
"""
    assert value_of(await run(source)) == ["a%20b", True, "/", True, "2024-01-02T00:00:00"]


async def test_missing_name_of_a_facade_is_told(run: Run) -> None:
    outcome = await run("import math\ndef main():\n    return math.nothing")
    assert outcome.error == "Execution failed: AttributeError: math.nothing is not available here"


async def test_codecs_work_without_files(run: Run) -> None:
    source = "def main():\n    return ['é'.encode(c).decode(c) for c in ['utf-16', 'latin-1', 'cp1252', 'utf-8-sig']] + ['ü.de'.encode('idna').decode()]"
    assert value_of(await run(source)) == ["é"] * 4 + ["xn--tda.de"]
