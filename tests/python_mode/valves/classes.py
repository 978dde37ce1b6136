"""What a class may have beside fields."""

from tests.python_mode.valves.corpus import valves

valves(
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
valves(
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
valves(
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
valves(
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
valves(
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
valves(
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
valves(
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
valves(
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
valves(
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
