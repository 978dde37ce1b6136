"""What is rarely written, and easily done wrong."""

from tests.python_mode.valves.corpus import valves

valves(
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
valves(
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
valves(
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
valves(
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
valves(
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
valves(
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
valves(
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
valves(
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
valves(
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
