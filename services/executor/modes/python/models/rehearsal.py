"""A function that uses all of `pydantic` that a function can: what is loaded at first use is loaded when it is run."""

SOURCE = b'''
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Dict, FrozenSet, List, Literal, Mapping, Optional, Sequence, Tuple, Union
from uuid import UUID
import json
from pydantic import (
    AnyHttpUrl, AnyUrl, BaseModel, ConfigDict, Field, HttpUrl, PositiveInt, SecretBytes, SecretStr, StrictInt,
    ValidationError, conint, conlist, condecimal, constr, field_validator, model_validator, validator,
)

class Cat(BaseModel):
    """A cat."""
    kind: Literal["cat"] = "cat"
    lives: int = Field(9, ge=0)

class Dog(BaseModel):
    kind: Literal["dog"]
    name: str = Field("Rex", pattern="^R", alias="Name")

class Valves(BaseModel):
    """Everything."""
    model_config = ConfigDict(extra="allow", title="All", json_schema_extra={"x": 1}, frozen=False)
    version: ClassVar[str] = "1"
    a: str = Field("a", min_length=1, title="A", description="a", examples=["x"], json_schema_extra={"input": {}})
    b: int = Field(1, gt=0, lt=100, multiple_of=1)
    c: float = 1.5
    d: bool = True
    e: bytes = b"e"
    f: None = None
    g: Any = 1
    h: List[int] = [1]
    i: Dict[str, int] = {"x": 1}
    j: Tuple[int, ...] = (1,)
    k: set[int] = {1}
    l: FrozenSet[int] = frozenset()
    m: date = date(2024, 1, 1)
    n: datetime = datetime(2024, 1, 1, tzinfo=timezone.utc)
    o: time = time(1)
    p: timedelta = timedelta(1)
    q: Decimal = Field(Decimal("1.5"), max_digits=5, decimal_places=2)
    r: UUID = UUID(int=1)
    s: SecretStr = SecretStr("secret")
    t: Optional[SecretBytes] = None
    u: HttpUrl = HttpUrl("http://example.org")
    v: AnyUrl | None = None
    w: Union[Cat, Dog] = Field(Cat(), discriminator="kind")
    x: list[Cat | Dog] = Field(default_factory=list)
    y: PositiveInt = 1
    z: conint(ge=1) = 1
    aa: constr(strip_whitespace=True, min_length=1) = "a"
    ab: conlist(int, min_length=1) = [1]
    ac: condecimal(gt=0) = Decimal(1)
    ad: Annotated[list[Annotated[str, Field(max_length=3)]], Field(min_length=1)] = ["a"]
    ae: Sequence[int] = [1]
    af: Mapping[str, Any] = {}
    ag: StrictInt = Field(1, validate_default=True, deprecated=True)
    ah: tuple[int, str] = (1, "a")
    ai: Optional[AnyHttpUrl] = None
    aj: int = Field(1, exclude=True, repr=False, frozen=True)
    ak: SecretStr = Field(SecretStr("abc"), min_length=2)
    al: complex = 1
    am: object = None

    @field_validator("a", mode="before")
    @classmethod
    def check_a(cls, value, info):
        return value

    @field_validator("b", "c")
    @classmethod
    def check_b(cls, value):
        if value == 13:
            raise ValueError("unlucky")
        assert value != 14
        return value

    @validator("d", always=True)
    def check_d(cls, value, values):
        return value

    @model_validator(mode="before")
    @classmethod
    def before(cls, data):
        return data

    @model_validator(mode="after")
    def after(self):
        return self

class Strict(Valves):
    class Config:
        extra = "forbid"
        validate_assignment = True
        strict = True

BAD = {
    "a": "", "b": 0, "c": "x", "d": "x", "e": 1, "f": 1, "h": "x", "i": [], "j": 1, "k": 1, "l": 1, "m": "x", "n": "x",
    "o": "x", "p": "x", "q": "x", "r": "x", "s": 1, "t": 1, "u": "x", "v": "x", "w": {"kind": "x"}, "y": 0, "z": 0,
    "x": [{}, {"kind": "dog", "Name": "x"}], "aa": "", "ab": [], "ac": 0, "ad": ["long"], "ae": 1, "af": 1, "ag": "1",
    "ah": [1], "ak": "x", "al": "x",
}
GOOD = {
    "m": "2024-01-01", "n": "2024-01-01T00:00:00+01:00", "o": "10:00", "p": "P1D", "q": "1.5", "t": "x", "k": [1],
    "r": "00000000-0000-0000-0000-000000000001", "x": [{"kind": "dog"}, {}], "w": {"kind": "dog"}, "more": {"x": [1]},
    "g": {"x": [SecretStr("x"), Cat(), date(2024, 1, 1), Decimal(1), {1}, UUID(int=1)]}, "v": "ftp://x.y/z",
    "u": "http://u:p@b\xc3\xbccher.example:81/?a=b#c",
}

def refused(act):
    try:
        act()
    except (ValueError, TypeError) as error:
        text = str(error)
        if isinstance(error, ValidationError):
            return [text, error.errors(), error.json(), error.title, error.error_count()]
        return text
    raise RuntimeError("nobody refused it")

def main(params, context):

    told = []
    for kind in (Valves, Strict):
        told.append(kind.model_json_schema())
        told.append(kind.model_json_schema(mode="serialization", by_alias=False))
        told.append(refused(lambda: kind(**BAD)))
        told.append(refused(lambda: kind.model_validate_json(json.dumps(BAD))))
        told.append(refused(lambda: kind.model_validate_json("{")))
        told.append(refused(lambda: kind.model_validate(1)))
        told.append(str(kind.model_fields["a"].description))
    told.append(refused(lambda: Valves(b=13)))
    told.append(refused(lambda: Valves(b=14)))
    made = Valves(**GOOD)
    for options in ({}, {"exclude_unset": True}, {"by_alias": True}, {"exclude_none": True, "exclude_defaults": True}):
        told.append(made.model_dump_json(indent=2, **options))
        told.append(made.model_dump(mode="json", **options))
        told.append(str(made.model_dump(**options)))
    told.append([repr(made), str(made), made == made.model_copy(deep=True), str(made.copy(update={"a": "b"}))])
    told.append([made.u.host, made.u.unicode_host(), made.u.query_params(), str(made.u), made.s.get_secret_value()])
    told.append(refused(lambda: HttpUrl("no")))
    made.a = "b"
    strict = Strict()
    strict.a = "b"
    told.append(refused(lambda: setattr(strict, "b", "x")))
    told.append(refused(lambda: setattr(strict, "aj", 2)))
    told.append(refused(lambda: Valves(g=refused).model_dump_json()))

    class Broken(BaseModel):
        a: str = Field("", pattern="(")

    class Unfit(BaseModel):
        a: int = Field(1, discriminator="b")

    told.append([refused(Broken), refused(Unfit), sorted(made.model_fields_set), hasattr(made, "nothing")])
    return len(str(told))
'''
