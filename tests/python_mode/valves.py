"""Thirty classes of valves: a source that defines `Valves`, and values for it, good ones and bad ones."""

from typing import Any

VALVES: dict[str, tuple[str, list[dict[str, Any]]]] = {}


def _valves(name: str, source: str, *values: dict[str, Any]) -> None:
    VALVES[name] = (source, [{}, *values])


_valves(
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
_valves(
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
_valves(
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
_valves(
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
_valves(
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
_valves(
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
_valves(
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
_valves(
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
_valves(
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
_valves(
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
_valves(
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
_valves(
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
_valves(
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
_valves(
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
_valves(
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
_valves(
    "inherited",
    """
from typing import ClassVar, Optional
from pydantic import BaseModel, Field, field_validator

class Base(BaseModel):
    '''The base.'''
    model_config = {"extra": "ignore", "str_strip_whitespace": True}
    version: ClassVar[str] = "1"
    priority: int = Field(0, ge=0)
    name: str = "base"
    note: str

    @field_validator("name")
    @classmethod
    def check_name(cls, value):
        if " " in value:
            raise ValueError("no spaces")
        return value.lower()

class Middle(Base):
    name: str = "middle"
    extra: Optional[int] = None

class Valves(Middle):
    model_config = {"extra": "forbid"}
    note: str = "valves"
    last: float = 1

    @field_validator("last", "priority")
    @classmethod
    def check_last(cls, value):
        assert value < 100, "too much"
        return value
""",
    {"name": " A ", "note": " n "},
    {"name": "a b", "priority": -1},
    {"last": 100, "priority": 100, "zzz": 1},
    {"extra": "x"},
)
_valves(
    "validators",
    """
from typing import Optional
from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator

class Valves(BaseModel):
    low: int = 0
    high: int = 10
    roles: list[str] = ["user"]
    name: Optional[str] = Field(None, max_length=5)

    @field_validator("roles", mode="before")
    @classmethod
    def split(cls, value):
        return value.split(",") if isinstance(value, str) else value

    @field_validator("high")
    @classmethod
    def above(cls, value, info: ValidationInfo):
        if "low" in info.data and value < info.data["low"]:
            raise ValueError(f"{info.field_name} {value} is below low {info.data['low']}")
        return value

    @field_validator("name", mode="plain")
    @classmethod
    def anything(cls, value):
        return None if value is None else str(value)

    @model_validator(mode="before")
    @classmethod
    def rename(cls, data):
        if "lowest" in data:
            data = {**data, "low": data["lowest"]}
        return data

    @model_validator(mode="after")
    def check(self):
        if self.low == 13:
            raise ValueError("unlucky")
        if self.low == 14:
            assert False
        if self.low == 15:
            self.roles = ["fifteen"]
        return self
""",
    {"roles": "a,b"},
    {"low": 5, "high": 3},
    {"low": "x", "high": 3},
    {"low": 13, "high": 20},
    {"low": 14, "high": 20},
    {"low": 15, "high": 20},
    {"lowest": 4, "name": 1234567},
    {"roles": 5},
)
_valves(
    "old validators",
    """
from pydantic import BaseModel, validator

class Valves(BaseModel):
    a: int = 1
    b: str = " B "
    c: int = -1

    @validator("b", always=True)
    def strip(cls, v):
        return v.strip()

    @validator("a", pre=True)
    def number(cls, v):
        return 0 if v == "none" else v

    @validator("c")
    def above(cls, v, values):
        if "a" in values and v < values["a"]:
            raise ValueError("below a")
        return v

    class Config:
        extra = "forbid"
""",
    {"a": "none", "b": " x "},
    {"a": 5, "c": 4},
    {"a": "x", "c": 4, "d": 1},
    {"b": 5},
)
_valves(
    "nested validators",
    """
from pydantic import BaseModel, ValidationError, field_validator, model_validator

class Inner(BaseModel):
    n: int = 1

    @model_validator(mode="after")
    def check(self):
        if self.n < 0:
            raise ValueError("negative")
        return self

class Valves(BaseModel):
    inner: Inner = Inner()
    inners: list[Inner] = []
    text: str = ""

    @field_validator("text")
    @classmethod
    def parse(cls, value):
        if value.startswith("n="):
            return str(Inner(n=value[2:]).n)
        return value
""",
    {"inner": {"n": -1}},
    {"inners": [{"n": 1}, {"n": -1}, {"n": "x"}]},
    {"text": "n=5"},
    {"text": "n=x"},
    {"text": "n=-5"},
)
_valves(
    "extras kept",
    """
from pydantic import BaseModel, ConfigDict

class Valves(BaseModel):
    model_config = ConfigDict(extra="allow", str_to_upper=True)
    a: str = "a"
""",
    {"a": "b", "c": 1, "d": {"e": [1]}},
    {"a": 1, "c": None},
)
_valves(
    "a strict one",
    """
from datetime import date
from pydantic import BaseModel, ConfigDict, Field

class Valves(BaseModel):
    model_config = ConfigDict(strict=True, hide_input_in_errors=True)
    a: int = 1
    b: float = 1.0
    c: bool = True
    d: set[int] = {1}
    e: date = date(2024, 1, 1)
    f: int = Field(1, strict=False)
""",
    {"a": "1", "b": 1, "c": 1},
    {"d": [1], "e": "2024-01-01", "f": "5"},
    {"a": True, "b": "1"},
)
_valves(
    "a schema with everything",
    """
from pydantic import BaseModel, ConfigDict, Field

class Valves(BaseModel):
    model_config = ConfigDict(title="Everything", json_schema_extra={"examples": [{"a": 1}], "x-order": ["b", "a"]})
    a: int = Field(1, title="The A", description="An a.", examples=[1, 2], deprecated=True, json_schema_extra={"x": 0})
    b: str = Field("b", repr=False, exclude=True)
    c: str = Field("c", frozen=True, json_schema_extra={"format": "password", "writeOnly": True})
    d: float = Field(0.1, gt=0, lt=1, allow_inf_nan=False)
    e: str = Field("e", deprecated="use d", pattern="e.*")
    f: int = Field(1, coerce_numbers_to_str=True)
""",
    {"a": 2, "b": "x", "c": "y"},
    {"d": 1, "e": "f"},
    {"d": "inf"},
)
_valves(
    "names of pydantic's own",
    """
from pydantic import BaseModel, Field

class Valves(BaseModel):
    json: str = "j"
    copy: int = 1
    schema: dict = {}
    default: str = Field("d", alias="fields")
    cls: int = 1
    function: str = "f"
    choices: dict = {"type": "model", "cls": 1}
    metadata: list = [{"type": "int"}]
    type: str = "int"
    self: int = 1
    model: str = Field("m", description="the model")
    data: int = 0
""",
    {"json": "x", "copy": "2", "schema": {"a": 1}, "fields": "dd", "cls": "x"},
    {"choices": {"type": "x"}, "metadata": [1], "function": 1, "type": None},
    {"self": "x", "data": "x"},
)
_valves(
    "texts and bytes",
    """
from pydantic import BaseModel, Field

class Valves(BaseModel):
    \"\"\"Quotes " and {braces} and \\u00fcml\\u00e4ute\"\"\"
    a: str = "\\u00e4\\n\\t\\"{x}\\""
    b: bytes = Field(b"\\x00\\x01", max_length=3)
    c: str = Field("", description="{0.__class__} %s $x", title="T\\u00eft")
    snake_case_name: str = "long " * 20
    HTTPUrl2x: int = 1
""",
    {"a": "\u20ac" * 60, "b": "abcd"},
    {"a": ["x" * 200], "b": "abc"},
    {"c": {"k": "v" * 100}, "HTTPUrl2x": "y" * 100},
)
_valves(
    "decimals and times",
    """
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Optional
from pydantic import BaseModel, Field

class Valves(BaseModel):
    price: Decimal = Field(Decimal("9.99"), gt=0, max_digits=6, decimal_places=2)
    wait: timedelta = Field(timedelta(minutes=5), ge=timedelta(0), le=timedelta(days=1))
    since: Optional[date] = Field(None, ge=date(2020, 1, 1))
    until: datetime = Field(datetime(2030, 1, 1), lt=datetime(2040, 1, 1))
    many: dict[date, Decimal] = {date(2024, 1, 1): Decimal("1.0")}
""",
    {"price": "0", "wait": -1, "since": "2019-12-31"},
    {"price": "10000.001", "wait": "P2D", "until": "2050-01-01T00:00:00"},
    {"price": 5, "wait": 60.5, "since": "2024-05-05", "many": {"2024-01-02": "3.50"}},
    {"many": {"x": "y"}, "wait": "00:10:00"},
)
_valves(
    "with a function around",
    """
from typing import Optional
from pydantic import BaseModel, Field

class Filter:
    class Valves(BaseModel):
        class Limits(BaseModel):
            turns: int = Field(8, ge=1)
            per_user: dict[str, int] = {}
        priority: int = 0
        limits: Limits = Field(default_factory=Limits)
        limits_of_admins: Optional[Limits] = None

    def __init__(self):
        self.valves = self.Valves()

Valves = Filter.Valves
""",
    {"limits": {"turns": 0}},
    {"limits": {"turns": 3, "per_user": {"ada": "5"}}, "limits_of_admins": {}},
    {"limits_of_admins": 5},
)
_valves(
    "the same name twice",
    """
from pydantic import BaseModel

class Pipe:
    class Options(BaseModel):
        '''Of the pipe.'''
        a: int = 1

class Action:
    class Options(BaseModel):
        '''Of the action.'''
        b: int = 1

class Valves(BaseModel):
    pipe: Pipe.Options = Pipe.Options()
    action: Action.Options = Action.Options(b=2)
    both: list[Pipe.Options | Action.Options] = []
""",
    {"pipe": {"a": "x"}, "action": {"b": "x"}},
    {"both": [{"a": 1}, {"b": 2}, 3]},
)
_valves(
    "lists of models",
    """
from typing import Any, Dict, List, Literal, Optional
from pydantic import BaseModel, Field

class Header(BaseModel):
    name: str = Field(min_length=1)
    value: Optional[str] = None

class Route(BaseModel):
    model_config = {"extra": "forbid"}
    path: str
    methods: List[Literal["GET", "POST"]] = ["GET"]
    headers: List[Header] = Field([Header(name="accept", value="*/*")], description="sent")
    meta: Dict[str, Any] = {}

class Valves(BaseModel):
    routes: List[Route] = []
    fallback: Route = Route(path="/", methods=["POST"])
    by_name: Dict[str, List[Route]] = {}
""",
    {"routes": [{"path": "/a", "headers": [{"name": "x"}]}, {"path": 5}]},
    {"routes": [{"path": "/a", "methods": ["PUT"], "more": 1}, {}]},
    {"by_name": {"a": [{"path": "/"}], "b": [{"headers": [{"name": ""}]}]}},
    {"fallback": {"path": "/x", "meta": {"deep": [{"er": None}]}}},
)
_valves(
    "assignments",
    """
from pydantic import BaseModel, ConfigDict, Field

class Valves(BaseModel):
    model_config = ConfigDict(validate_assignment=True, validate_default=True, revalidate_instances="always")
    a: int = Field("5", ge=0)
    b: list[int] = ["1", "2"]
""",
    {"a": -1},
    {"b": ["x"]},
)
_valves(
    "defaults that are wrong",
    """
from pydantic import BaseModel, Field

class Valves(BaseModel):
    a: int = "not a number"
    b: int = Field(None, ge=1)
    c: str = None
    d: list[str] = ()
""",
    {"a": 1, "b": 0},
    {"c": "x", "d": []},
)
_valves(
    "private attributes and properties",
    """
from typing import Any
from pydantic import BaseModel, PrivateAttr, field_validator

class Valves(BaseModel):
    first: str = "Ada"
    last: str = "Lovelace"
    _cache: dict = PrivateAttr(default_factory=dict)
    _seen: list = []
    _bare = 5
    _late: Any

    def model_post_init(self, context):
        self._seen.append(self._bare)
        self._late = self._cache
        self.last = self.last.upper()

    @property
    def full(self):
        return f"{self.first} {self.last}"

    @staticmethod
    def twice(text):
        return text * 2

    def _helped(self):
        return self.full

    @field_validator("*")
    @classmethod
    def _named(cls, value):
        if not value:
            raise ValueError(cls.twice("empty "))
        return value
""",
    {"first": ""},
    {"first": "A", "last": "B"},
)
_valves(
    "recursion of types",
    """
from typing import Any, Dict, List, Optional, Union
from pydantic import BaseModel

Json = Union[None, bool, int, float, str, List[Any], Dict[str, Any]]

class Valves(BaseModel):
    tree: Dict[str, Dict[str, Dict[str, List[Optional[Json]]]]] = {}
    anything: Json = None
    nothing: Optional[None] = None
""",
    {"tree": {"a": {"b": {"c": [1, "x", None, {"y": []}]}}}},
    {"tree": {"a": {"b": 5}}, "nothing": 1},
    {"anything": {"a": [1, {"b": None}]}},
    {"anything": True, "tree": {"a": []}},
)
_valves(
    "a union of models that check",
    """
from typing import ClassVar, Final, Union
from pydantic import BaseModel, Field, HttpUrl, SecretStr, field_validator, model_validator

class Cat(BaseModel):
    model_config = {"extra": "forbid", "frozen": True}
    meow: int = 1

    @model_validator(mode="after")
    def check_cat(self):
        if self.meow > 5:
            raise ValueError("too loud")
        return self

class Dog(BaseModel):
    bark: int

    @model_validator(mode="before")
    @classmethod
    def check_dog(cls, data):
        if "meow" in data:
            raise ValueError("a cat")
        return data

    @field_validator("bark")
    def model_json_schema(cls, value):
        return min(value, 9)

class Loud(Dog):
    @classmethod
    def check_dog(cls, data):
        return {"bark": 7, **data}

class Valves(BaseModel):
    a: Union[Cat, Dog] = Cat()
    b: Union[HttpUrl, int, SecretStr] = 1
    c: dict[str, Cat | Loud | None] = {}
    d: ClassVar[int] = 3
    e: Final[int] = 5
    f: Final[str] = Field("f", description="final")
""",
    {"a": {"meow": 6}},
    {"a": {"bark": "x"}, "b": "no"},
    {"b": [], "c": {"x": {"meow": "x"}, "y": {"bark": "x"}, "z": None}},
    {"c": {"x": {"bark": 1, "meow": 1}}},
    {"e": 6, "f": "x"},
)
