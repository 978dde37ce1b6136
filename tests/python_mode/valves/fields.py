"""What one field may be."""

from tests.python_mode.valves.corpus import valves

valves(
    "a priority",
    """
from pydantic import BaseModel

class Valves(BaseModel):
    priority: int = 0
""",
    {"priority": 5},
    {"priority": "7"},
    {"priority": 7.5},
    {"priority": "x"},
    {"priority": None},
    {"priority": True},
    {"unknown": 1},
    {"priority": 10**40},
)
valves(
    "of a filter",
    """
from pydantic import BaseModel, Field
from typing import Optional

class Valves(BaseModel):
    priority: int = Field(default=0, description="Priority level for the filter operations.")
    max_turns: int = Field(default=8, description="Maximum allowable conversation turns for a user.", ge=1, le=100)
    api_key: str = Field(default="", description="The key", json_schema_extra={"input": {"type": "password"}})
    target_user_roles: list[str] = Field(default=["user", "admin"])
    note: Optional[str] = Field(default=None, title="A note")
""",
    {"max_turns": 101},
    {"max_turns": 0, "target_user_roles": "user"},
    {"target_user_roles": ["a", 1, None]},
    {"note": 1, "priority": []},
    {"priority": 3, "api_key": "k", "note": "n"},
)
valves(
    "a select",
    """
from pydantic import BaseModel, Field
from typing import Literal

class Valves(BaseModel):
    mode: Literal["fast", "good", "best"] = Field(
        "fast", json_schema_extra={"input": {"type": "select", "options": ["fast", "good", "best"]}}
    )
    level: Literal[1, 2, 3] = 1
    flag: Literal[True] = True
    text: str = Field("", json_schema_extra={"input": {"type": "textarea"}, "order": [1, None, 2.5, {"a": True}]})
    dynamic: str = Field("", json_schema_extra={"input": {"type": "select", "options": "get_options"}})

    @classmethod
    def get_options(cls):
        return ["a", "b"]
""",
    {"mode": "worst"},
    {"level": "1"},
    {"level": 2, "mode": "best"},
    {"level": True, "flag": 1},
    {"mode": None},
)
valves(
    "required ones",
    """
from pydantic import BaseModel, Field

class Valves(BaseModel):
    key: str
    url: str = Field(..., description="needed")
    count: int = Field(gt=0)
    share: float = Field(..., ge=0, le=1, multiple_of=0.25)
""",
    {"key": "k"},
    {"key": "k", "url": "u", "count": 1, "share": 0.5},
    {"key": "k", "url": "u", "count": 0, "share": 0.3},
    {"key": 1, "url": None, "count": 1.0, "share": "0.75"},
    {"share": float("1e400"), "count": 1e300, "key": "", "url": ""},
)
valves(
    "nested",
    """
from pydantic import BaseModel, Field
from typing import Dict, List, Optional

class Point(BaseModel):
    '''A place.'''
    x: int = 0
    y: int = Field(0, ge=-5)

class Line(BaseModel):
    start: Point
    end: Point = Point(x=1)
    through: List[Point] = []

class Valves(BaseModel):
    '''Lines and points.

        Indented.
    '''
    line: Line = Line(start=Point(x=3, y=4))
    lines: Dict[str, Line] = Field(default_factory=dict)
    maybe: Optional[Point] = None
    pair: tuple[Point, Point] | None = None
""",
    {"line": {"start": {"x": 1}}},
    {"line": {"end": {}}},
    {"lines": {"a": {"start": {"x": "b"}, "through": [{"y": -6}, 5, {}]}}},
    {"maybe": {"x": 2}, "pair": [{"x": 1}, {"y": 1}]},
    {"pair": [{"x": 1}]},
    {"maybe": [], "line": None},
)
valves(
    "constraints",
    """
from pydantic import BaseModel, Field, NonNegativeInt, PositiveFloat, PositiveInt, NegativeInt, conint, confloat
from pydantic import conlist, constr, conset, condecimal, StrictInt, StrictStr, FiniteFloat
from typing import Annotated

class Valves(BaseModel):
    name: str = Field("abc", min_length=2, max_length=5, pattern=r"^[a-z]+$")
    positive: PositiveInt = 1
    natural: NonNegativeInt = 0
    negative: NegativeInt = -1
    ratio: PositiveFloat = 0.5
    small: conint(ge=1, lt=10) = 5
    share: confloat(ge=0, le=1) = 0.5
    code: constr(min_length=2, max_length=3, pattern="^[A-Z]*$", to_upper=True) = "AB"
    items: conlist(int, min_length=1, max_length=3) = [1]
    kinds: conset(str, max_length=2) = {"a"}
    price: condecimal(max_digits=5, decimal_places=2) = 1
    strict: StrictInt = 1
    text: StrictStr = ""
    finite: FiniteFloat = 1.5
    noted: Annotated[int, Field(ge=3, description="at least three"), "a remark"] = 3
    words: list[Annotated[str, Field(min_length=1)]] = Field(["a"], min_length=1)
""",
    {"name": "a", "positive": 0, "natural": -1, "negative": 0, "ratio": 0, "small": 10},
    {"name": "ABC", "share": 2, "code": "abcd", "items": [], "kinds": ["a", "b", "c"]},
    {"code": "ab", "items": ["1", 2], "price": "123.456", "strict": "1", "text": 1},
    {"finite": "inf", "noted": 2, "words": ["", "b"]},
    {"price": "12.50", "items": [1, 2, 3, 4], "kinds": ["a", "a"], "words": []},
    {"name": "abcdef", "price": "123456", "share": "nan"},
)
valves(
    "aliases",
    """
from pydantic import BaseModel, Field

class Valves(BaseModel):
    api_key: str = Field("", alias="API_KEY")
    base: str = Field("b", validation_alias="baseUrl", serialization_alias="base-url")
    plain: int = 1
""",
    {"API_KEY": "k"},
    {"api_key": "k"},
    {"API_KEY": 5, "baseUrl": None},
    {"baseUrl": "x", "base": "y"},
)
valves(
    "aliases or names",
    """
from pydantic import BaseModel, ConfigDict, Field

class Valves(BaseModel):
    model_config = ConfigDict(populate_by_name=True, title="My Valves", extra="forbid")
    api_key: str = Field("", alias="API_KEY")
    count: int = Field(..., alias="Count", ge=0)
""",
    {"api_key": "k", "count": 1},
    {"API_KEY": "k", "Count": -1},
    {"API_KEY": "k", "count": 1, "more": True},
)
valves(
    "defaults of every type",
    """
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID
from pydantic import BaseModel

class Valves(BaseModel):
    a: str = "x"
    b: int = -1
    c: float = 1.5
    d: bool = False
    e: bytes = b"bytes"
    f: None = None
    g: Any = {"a": [1, "b", None, True, 2.5]}
    h: list = [1, "a"]
    i: dict = {"k": {"l": 1}}
    j: tuple = (1, 2)
    k: set = {1}
    l: frozenset = frozenset([2])
    m: date = date(2024, 2, 29)
    n: datetime = datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    o: time = time(12, 30)
    p: timedelta = timedelta(days=1, seconds=5)
    q: Decimal = Decimal("1.10")
    r: UUID = UUID(int=7)
    s: datetime = datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    t: object = 5
""",
    {"a": 1, "b": "b", "c": "c", "d": "maybe", "e": 5},
    {"f": 1, "g": {"x": [1]}, "h": "no", "i": [], "j": 1},
    {"k": [1, "1", 1], "l": ["a"], "m": "2024-02-30", "n": "never", "o": "25:00"},
    {"m": "2024-03-01", "n": "2024-03-01T10:00:00Z", "o": "10:00:01.5", "p": "P1DT2H", "q": "3.140"},
    {"n": "2024-03-01T10:00:00+02:00", "s": 1700000000, "p": 90, "r": "00000000-0000-0000-0000-000000000009"},
    {"n": "2024-03-01 10:00", "p": "1 12:00:00", "q": "NaN", "r": "zz", "m": 19000.5},
    {"d": "yes", "e": "text", "q": 1.1, "p": "nonsense", "o": 3600},
    {"d": "off", "j": [1], "k": {"a": 1}, "t": None},
)
valves(
    "factories",
    """
from pydantic import BaseModel, Field

class Part(BaseModel):
    n: int = 1

def three():
    return 3

class Valves(BaseModel):
    a: list[int] = Field(default_factory=list)
    b: dict[str, int] = Field(default_factory=lambda: {"x": 1})
    c: int = Field(default_factory=three, ge=1, description="three")
    d: Part = Field(default_factory=Part)
    e: list[Part] = Field(default_factory=lambda: [Part(n=5)])
    f: int = Field(default_factory=lambda data: data["c"] + 1)
""",
    {"a": ["1"], "b": {"y": "2"}},
    {"c": 0},
    {"d": {"n": "x"}, "e": [{}, {"n": 2}]},
    {"c": 10},
)
valves(
    "unions",
    """
from typing import Dict, List, Optional, Union
from pydantic import BaseModel, Field

class Cat(BaseModel):
    meow: int = 1

class Dog(BaseModel):
    bark: str

class Valves(BaseModel):
    a: Union[int, str] = 1
    b: int | str | None = None
    c: Optional[Union[List[int], Dict[str, float]]] = None
    d: Union[Cat, Dog] = Cat()
    e: float | bool = 1.5
    f: Union[int, str] = Field("x", union_mode="left_to_right")
    g: Optional[int] = 3
""",
    {"a": "1", "b": 2.5, "e": True},
    {"a": None, "b": [], "c": ["x"]},
    {"c": {"a": "1"}, "d": {"bark": "w"}},
    {"d": {}, "f": "5"},
    {"d": {"bark": 1}, "c": 5, "e": "x"},
    {"d": 5, "g": "x", "b": "t"},
)
valves(
    "a tagged union",
    """
from typing import Literal, Union
from pydantic import BaseModel, Field

class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9

class Dog(BaseModel):
    kind: Literal["dog"]
    name: str = Field(min_length=1)

class Valves(BaseModel):
    pet: Union[Cat, Dog] = Field(Cat(), discriminator="kind")
    pets: list[Cat | Dog] = []
""",
    {"pet": {"kind": "dog", "name": "Rex"}},
    {"pet": {"kind": "bird"}},
    {"pet": {}, "pets": [{"kind": "dog", "name": "a"}, {"lives": 1}]},
    {"pet": {"kind": "dog", "name": ""}},
    {"pets": [{"kind": "dog"}]},
)
valves(
    "containers",
    """
from typing import Any, Dict, FrozenSet, List, Mapping, Sequence, Set, Tuple
from pydantic import BaseModel

class Valves(BaseModel):
    a: List[int] = []
    b: Set[str] = set()
    c: Dict[str, List[int]] = {}
    d: Tuple[int, str] = (1, "a")
    e: Tuple[int, ...] = ()
    f: FrozenSet[int] = frozenset()
    g: Sequence[int] = [1]
    h: Mapping[str, int] = {}
    i: List = []
    j: Dict = {}
    k: Dict[int, Any] = {}
    l: set[tuple[int, int]] = {(1, 2)}
    m: List[Dict[str, Any]] = [{"id": 1}]
""",
    {"a": (1, "2"), "b": ["a"], "c": {"x": ["1"]}, "d": [2, "b"], "e": ["1", 2]},
    {"a": {"x": 1}, "b": [["a"]], "c": {"x": 1}, "d": [1], "e": "12"},
    {"f": [1, "1", 2], "g": ["x"], "h": [], "k": {"1": 1, "x": 2}},
    {"d": [1, 2, 3], "g": "123", "l": [[1, 2], ["3", 4]], "m": [1]},
    {"i": {"a": 1}, "j": [], "h": {"a": "1"}, "m": [{"a": None}]},
)
valves(
    "secrets",
    """
from typing import Optional
from pydantic import BaseModel, Field, SecretBytes, SecretStr

class Valves(BaseModel):
    key: SecretStr = SecretStr("")
    password: SecretStr = Field(SecretStr("hunter2"), min_length=3, description="long")
    raw: Optional[SecretBytes] = None
    more: dict[str, SecretStr] = {}
    text: SecretStr = Field("plain", validate_default=True)
""",
    {"key": "k", "password": "secret"},
    {"key": 5, "password": "ab", "raw": "bytes"},
    {"more": {"a": "b", "c": None}},
    {"more": {"a": "b"}, "raw": []},
)
valves(
    "addresses",
    """
from pydantic import AnyHttpUrl, AnyUrl, BaseModel, Field, HttpUrl

class Valves(BaseModel):
    a: HttpUrl = "https://example.org"
    b: AnyUrl | None = None
    c: AnyHttpUrl = Field("http://localhost:8080/x", validate_default=True)
    d: list[HttpUrl] = []
    e: HttpUrl = HttpUrl("http://example.org/default")
    f: HttpUrl = Field(HttpUrl("http://example.org"), max_length=30)
""",
    {"a": "http://user:pw@example.org:81/p?q=1#f"},
    {"a": "ftp://example.org", "b": "ftp://example.org/x"},
    {"b": "no", "c": "", "d": ["http://b\u00fccher.example/\u00e4", "http://"]},
    {"d": [5], "a": None, "f": "http://example.org/much/too/long/for/this"},
    {"d": ["HTTP://EXAMPLE.ORG:80/../a b"]},
)
