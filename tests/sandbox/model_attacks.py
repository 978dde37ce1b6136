# ruff: noqa: E501 - a source in one string reads better than in pieces
"""Attacks on models: bodies of `main`, behind HEAD. None of the first three kinds may reach its `return 'escaped'`."""

HEAD = """
from datetime import date, datetime
from typing import Annotated, Any, Callable, ClassVar, Dict, Generator, Iterable, List, Literal, Optional, Type, TypeVar
from typing import Union
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, PrivateAttr, SecretStr, ValidationError, ValidationInfo, conint, conlist
from pydantic import field_validator, model_validator, validator, EmailStr
class Inner(BaseModel):
    x: int = 1
class Model(BaseModel):
    model_config = ConfigDict(extra="allow")
    any: Any = None
    inner: Inner = Inner()
    secret: SecretStr = SecretStr("s")
"""

REFUSED = {
    "keyword of the class": "class M(BaseModel, extra='allow'): x: int = 1",
    "core schema of a class": "Model.__pydantic_core_schema__",
    "validator of a class": "Model.__pydantic_validator__",
    "fields behind a class": "Model.__fields__",
    "schema hook of one's own": "class T:\n    def __get_pydantic_core_schema__(cls, source, handler): pass",
    "validators hook of one's own": "class T:\n    def __get_validators__(cls): pass",
    "init hook of one's own": "class M(BaseModel):\n    def __pydantic_init_subclass__(cls): pass",
    "slot of a model": "Model().__pydantic_fields_set__",
    "setter of one's own": "class M(BaseModel):\n    def __setattr__(self, name, value): pass",
    "generic model": "from typing import Generic",
    "adapter of types": "from pydantic import TypeAdapter",
    "call validator": "from pydantic import validate_call",
    "maker of models": "from pydantic import create_model",
    "path behind the module": "import pydantic.main",
    "core": "import pydantic_core",
    "import of a string": "from pydantic import ImportString",
    "json of any object": "from pydantic import Json",
}

# What a model may not be made of: the body of its class. What is before `---` is before the class.
FIELDS = {
    "text as a type": 'x: "int"',
    "text in a list": 'x: list["int"]',
    "text in a List": 'x: List["int"]',
    "text in Optional": "x: Optional[\"__import__('os')\"]",
    "text in Annotated": 'x: Annotated["int", Field()]',
    "text in a dict": 'x: dict[str, "Model"]',
    "type variable": 'x: TypeVar("T")',
    "list of a type variable": 'x: List[TypeVar("T")]',
    "number as a type": "x: 5",
    "function as a type": "x: len",
    "lambda as a type": "x: (lambda: 1)",
    "module as a type": "import json\n---\nx: json",
    "class of one's own": "class T: pass\n---\nx: T",
    "subclass of str": "class T(str): pass\n---\nx: T",
    "subclass of int in a union": "class T(int): pass\n---\nx: Union[str, T]",
    "subclass of a secret": "class T(SecretStr): pass\n---\nx: T",
    "subclass of a date": "class T(date): pass\n---\nx: list[T]",
    "exception": "x: ValueError",
    "type of types": "x: type",
    "type of a type": "x: Type[int]",
    "type in brackets": "x: type[int]",
    "function": "x: Callable",
    "function with arguments": "x: Callable[[int], str]",
    "lazy items": "x: Iterable[int]",
    "generator": "x: Generator[int, None, None]",
    "the base of models": "x: BaseModel",
    "Field as a type": "x: Field()",
    "mail address": "x: EmailStr",
    "literal of an object": "x: Literal[len]",
    "literal of a list": "x: Literal[[1]]",
    "literal of a class": "x: Literal[int]",
    "literal of a text of one's own": 'class S(str): pass\n---\nx: Literal[S("a")]',
    "function in Annotated": "x: Annotated[int, len]",
    "object in Annotated": "class T:\n    def validate(self, value): pass\n---\nx: Annotated[int, T()]",
    "class in Annotated": "x: Annotated[int, int]",
    "factory in Annotated": "x: Annotated[int, Field(default_factory=int)]",
    "default that is a function": "x: Any = len",
    "default that is a class": "x: Any = int",
    "default that is a text of one's own": 'class S(str): pass\n---\nx: str = S("a")',
    "default that has an object in it": "class T: pass\n---\nx: Any = [{'a': (T(),)}]",
    "default in Field": "x: Any = Field(default=len)",
    "secret of a function": "x: Any = SecretStr(len)",
    "schema by a function": "x: int = Field(1, json_schema_extra=lambda schema: None)",
    "schema with a function": "x: int = Field(1, json_schema_extra={'a': [len]})",
    "title by a function": "x: int = Field(1, field_title_generator=lambda name, info: name)",
    "left out by a function": "x: int = Field(1, exclude_if=lambda value: True)",
    "discriminator by a function": "x: int = Field(1, discriminator=lambda value: 'a')",
    "alias by an object": "x: int = Field(1, validation_alias=Model)",
    "bound that is an object": "class T:\n    def __lt__(self, other): pass\n---\nx: int = Field(1, gt=T())",
    "pattern of re": "import re\n---\nx: str = Field('', pattern=re.compile('a'))",
    "examples with an object": "x: int = Field(1, examples=[len])",
    "factory that is none": "x: int = Field(default_factory=5)",
    "bound of conint": "x: conint(gt=len) = 1",
    "item of conlist": "x: conlist('int') = []",
    "deep type": "x: " + "list[" * 40 + "int" + "]" * 40,
    "deep union": "T = int\nfor _ in range(99): T = Optional[List[T]]\n---\nx: T = None",
    "config with from_attributes": "model_config = {'from_attributes': True}\nx: int = 1",
    "config with aliases by a function": "model_config = ConfigDict(alias_generator=len)\nx: int = 1",
    "config with encoders": "model_config = ConfigDict(json_encoders={int: len})\nx: int = 1",
    "config with plugins": "model_config = ConfigDict(plugin_settings={})\nx: int = 1",
    "config with a late build": "model_config = ConfigDict(defer_build=True)\nx: int = 1",
    "config with a generator": "model_config = ConfigDict(schema_generator=int)\nx: int = 1",
    "config with titles by a function": "model_config = ConfigDict(model_title_generator=len)\nx: int = 1",
    "config with a schema by a function": "model_config = ConfigDict(json_schema_extra=len)\nx: int = 1",
    "config in a class": "class Config:\n    from_attributes = True\nx: int = 1",
    "config that is no dict": "model_config = 5\nx: int = 1",
    "no annotation": "x = 5",
    "field of an underscore": "_x: int = Field(5)",
}

FAILS = {
    "two layouts": "class M(BaseModel, ValueError): x: int = 1",
    "base of dicts": "class M(BaseModel, dict): x: int = 1",
    "attributes of an object": "Model.model_validate(main, from_attributes=True)",
    "fallback of a dump": "Model().model_dump(fallback=len)",
    "template of the schema": "Model.model_json_schema(ref_template='{model.__class__}')",
    "generator of the schema": "Model.model_json_schema(schema_generator=int)",
    "class of a check": "c = field_validator('x')(lambda cls, v: v)\n    class C(type(c)): pass",
    "class of a field": "class C(type(Field())): pass",
    "check by hand": "c = field_validator('x')(lambda cls, v: v)\n    type(c)(len, 'after')",
    "check of a mode": "c = field_validator('x')(lambda cls, v: v)\n    type(c)(lambda v: v, 'wrap')",
    "check around": "field_validator('x', mode='wrap')(lambda cls, v, h: h(v))",
    "check of a model around": "model_validator(mode='wrap')(lambda cls, v, h: h(v))",
    "check that is a builtin": "field_validator('x')(len)",
    "write into a check": "c = field_validator('x')(lambda cls, v: v)\n    c.fields = ('y',)",
    "write into a field": "f = Field()\n    f.named = {}",
    "write into the base": "BaseModel.model_dump = len",
    "write into a secret": "SecretStr('a').secret = 1",
    "write into an error's class": "ValidationError.errors = len",
    "field by hand": "class M(BaseModel):\n        x: int = type(Field())(len, None, {'title': len})",
    "field by hand, with names": "class M(BaseModel):\n        x: int = type(Field())(1, None, [(len, 1)])",
    "type of a hint": "type(Optional[int])",
    "hint of a hint of ours": "conint()['os', (), {}]()\n    class M(BaseModel):\n        x: conint()['os', (), {}] = 1",
    "core behind an error": "try:\n        Inner(x='a')\n    except ValidationError as error:\n        error.of",
    "core behind an error, by name": "try:\n        Inner(x='a')\n    except ValidationError as error:\n        getattr(error, '__core__')",
    "secret by name": "getattr(SecretStr('a'), '__secret__')",
    "secret of a private name": "SecretStr('a')._secret_value",
    "address by name": "HttpUrl('http://a')._url",
    "shape by name": "getattr(Model, '__the shape__')",
    "dict of an instance": "getattr(Model(), '__dict__')",
    "function of a classmethod": "getattr(Model.model_validate, '__func__')",
    "class by a key": "Model().model_copy(update={'__class__': int})",
    "serializer by a key": "Model().model_copy(update={'__pydantic_serializer__': 1}).model_dump()",
    "private name of the base": "Model()._fitted",
    "deep models": "kinds = [Inner]\n    for n in range(99):\n        class M(BaseModel):\n            x: kinds[-1] = None\n        kinds.append(M)\n    M()",
    "pattern that is none": "class M(BaseModel):\n        x: str = Field('', pattern='(')\n    M()",
    "pattern that is too large": "class M(BaseModel):\n        x: str = Field('', pattern='(a{1000}){1000}')\n    M()",
    "bound that is too large": "class M(BaseModel):\n        x: str = Field('', min_length=10 ** 100)\n    M()",
    "unknown check": "class M(BaseModel):\n        x: int = 1\n        @field_validator('y')\n        def c(cls, v): return v\n    M()",
    "number with too many digits": "Inner(x='9' * 10000)",
    "json that is deep": "Model.model_validate_json('[' * 100000)",
    "any that is deep": "x = []\n    for _ in range(10 ** 5): x = [x]\n    Model(any=x).model_dump_json()",
    "any that is in itself": "x = []\n    x.append(x)\n    Model(any=x).model_dump_json()",
    "any that is in itself, copied": "x = []\n    x.append(x)\n    Model(any=x).model_copy(deep=True)",
    "any that is a module": "import json\n    Model(any=json).model_dump_json()",
    "any that is a function": "Model(any=main).model_dump_json()",
    "any that is a class": "Model(any=int).model_dump_json()",
    "instance of the base": "BaseModel()",
    "dict that changes while it is looked through": "found = {'a': {}, 'b': {}}\n    class I(BaseModel):\n        @model_validator(mode='before')\n        @classmethod\n        def c(cls, data):\n            found.clear()\n            return data\n    class M(BaseModel):\n        x: dict[str, I]\n    M(x=found)",
    "title that is no text": "class M(BaseModel):\n        model_config = {'title': 5}\n        x: int = 1\n    M(x='a')",
    "title that cannot be written": "class M(BaseModel):\n        model_config = {'title': '\\ud800'}\n        x: int = 1\n    M(x='a')",
    "type of a zone": "class M(BaseModel):\n        x: datetime\n    type(M(x='2024-01-01T00:00:00+01:00').x.tzinfo)",
    "type of a generator that was dumped": "type(Model(any=(x for x in [1])).model_dump()['any'])",
    "memory": "Model(any=[b'x' * 10 ** 9])",
    "memory by a field": "class M(BaseModel):\n        x: list[int] = Field(default_factory=lambda: list(range(10 ** 9)))\n    M()",
    "check that ends the call": "class M(BaseModel):\n        x: int\n        @field_validator('x')\n        def c(cls, v): raise SystemExit(0)\n    M(x=1)",
    "assignment of a class variable": "class M(BaseModel):\n        x: ClassVar[int] = 1\n    M().x = 2",
    "assignment of no field": "Inner().y = 2",
}

# The process may end with them, of memory that C cannot have; no more than that.
ENDS = {
    "memory of a dump": "Model(any=['x' * 10 ** 6] * 200).model_dump_json()",
    "memory of an error": "class M(BaseModel):\n        x: list[int]\n    M(x=['a'] * 10 ** 6)",
    "pattern that goes back": "class M(BaseModel):\n        model_config = {'regex_engine': 'python-re'}\n        x: str = Field('', pattern='^(a+)+$')\n    M(x='a' * 100 + 'b')",
    "three thousand fields": "class M(BaseModel):\n"
    + "".join(f"        x{n}: int = {n}\n" for n in range(3000))
    + "    M(x1='a')",
    "ten thousand classes": "for n in range(10 ** 4):\n        class M(BaseModel):\n            x: int = n\n        M()",
}

# Reachable and harmless: what it comes to must be exactly this.
TELLING = {
    "what an error is": (
        "try:\n        Inner(x='a')\n    except ValueError as error:\n        return sorted(error.errors()[0])",
        ["input", "loc", "msg", "type", "url"],
    ),
    "errors have no objects": (
        "class M(BaseModel):\n        x: int\n        @field_validator('x')\n        def c(cls, v): raise ValueError('no')\n    try:\n        M(x=1)\n    except ValidationError as error:\n        return error.errors()[0]['ctx']",
        {"error": "no"},
    ),
    "class of what is nested": ("return type(Model().inner) is Inner", True),
    "class of a secret": (
        "return type(Model().secret) is SecretStr and str(Model(any=Model().secret))",
        "any=SecretStr('**********') inner=Inner(x=1) secret=SecretStr('**********')",
    ),
    "secret in a dump": (
        "return Model(any={'a': [SecretStr('x')]}).model_dump(mode='json')['any']",
        {"a": ["**********"]},
    ),
    "info of a check": (
        "seen = []\n    class M(BaseModel):\n        x: int = 1\n        y: int = 1\n        @field_validator('y')\n        def c(cls, v, info):\n            seen.append([type(info) is ValidationInfo, info.data, info.field_name, info.config])\n            return v\n    M(y=2)\n    return seen",
        [[True, {"x": 1}, "y", None]],
    ),
    "a panic of the core is an error": (
        "found = {'a': 1, 'b': 2}\n    def more():\n        found.clear()\n        yield 1\n    found['a'] = more()\n    try:\n        Model(any=found).model_dump_json()\n    except Exception as error:\n        return str(error)",
        "pydantic gave up: dictionary changed size during iteration",
    ),
    "a tag is looked for in no object": (
        "import json\n    told = []\n    class T: pass\n    for name in ('__dict__', '__class__', '_title', '__secret__', 'host'):\n        class A(BaseModel):\n            kind: Literal['a'] = Field('a', alias=name)\n        class B(BaseModel):\n            kind: Literal['b'] = Field('b', alias=name)\n        class M(BaseModel):\n            x: Union[A, B] = Field(discriminator='kind')\n        for one in (json, T(), SecretStr('hidden'), HttpUrl('http://hidden')):\n            try:\n                M(x=one)\n            except ValidationError as error:\n                told.append(error.errors()[0]['type'])\n        told.append(M(x={name: 'b'}).x.kind + M(x=A()).x.kind)\n    return sorted({*told})",
        ["ba", "model_attributes_type"],
    ),
    "defaults are not shared": (
        "class M(BaseModel):\n        x: list = [[]]\n        y: dict = Field({'a': [Inner()]})\n    m = M()\n    m.x[0].append(1)\n    m.y['a'][0].x = 5\n    return M().model_dump()",
        {"x": [[]], "y": {"a": [{"x": 1}]}},
    ),
    "schemas are not shared": (
        "Model.model_json_schema()['properties'].clear()\n    return len(Model.model_json_schema()['properties'])",
        3,
    ),
    "fields are not shared": (
        "Model.model_fields.clear()\n    return sorted(Model.model_fields)",
        ["any", "inner", "secret"],
    ),
    "hostile equality": (
        "class E:\n        def __eq__(self, other): return True\n        def __contains__(self, other): return True\n    m = Model(any=E())\n    return [m == Model(any=E()), str(m.model_dump(include={'inner'}))]",
        [True, "{'inner': {'x': 1}}"],
    ),
    "methods that are overridden": (
        "class M(BaseModel):\n        x: int = 1\n        @field_validator('x')\n        def model_dump(cls, value): return value + 1\n    return [BaseModel.model_dump(M(x=2)), sorted(M.model_json_schema())]",
        [{"x": 3}, ["properties", "title", "type"]],
    ),
    "ten thousand values": ("return len(Model(any=list(range(10 ** 5))).model_dump_json()) > 10 ** 5", True),
    "a slow pattern is not slow": (
        "class M(BaseModel):\n        x: str = Field('', pattern='^(a+)+$')\n    try:\n        M(x='a' * 10 ** 5 + 'b')\n    except ValidationError:\n        return 'refused'",
        "refused",
    ),
    "a copy copies no object": (
        "class T: pass\n    t = T()\n    m = Model(any=[t, {'a': t}]).model_copy(deep=True)\n    return [m.any[0] is t, m.any[1]['a'] is t]",
        [True, True],
    ),
    "a private default is not copied by its methods": (
        "class T: pass\n    t = T()\n    class M(BaseModel):\n        _t: Any = PrivateAttr(t)\n        _u: list = [1]\n        def same(self): return [self._t is t, self._u]\n    M()._u.append(2)\n    return M().same()",
        [True, [1]],
    ),
    "a subclass does not tell secrets": (
        "class S(SecretStr):\n        def get_secret_value(self): return 'other'\n    return Model(secret=S('x')).secret.get_secret_value()",
        "other",
    ),
}
