"""From a template to validators and serializers that make and read instances of the function's own classes.

pydantic's core works by a schema that names the class of each model, and takes any class with the right slots: ours is
put in the place of the real one, the function's checks and defaults into the holes. The rest is as pydantic made it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pydantic
from pydantic_core import PydanticKnownError, PydanticSerializationUnexpectedValue, SchemaSerializer, SchemaValidator

from services.executor.modes.python.models.building import Hole, Node, Template, build
from services.executor.modes.python.models.checks import relay
from services.executor.modes.python.models.shapes import KEY as SHAPE
from services.executor.modes.python.models.shapes import Ref, Shape, shape_of
from services.executor.modes.python.models.strangers import SECRETS, URLS, AnyUrl, Secret, open_secret, url_of

Schema = dict[str, Any]
KEPT = "__the fitted__"
KEEPER = "__the keeper__"


class Fitted(NamedTuple):
    """What a model's class works with."""

    real: type[pydantic.BaseModel]
    validator: SchemaValidator
    serializer: SchemaSerializer


def fitted(kind: type) -> Fitted:
    """Made when it is first needed. What pydantic refuses of a definition is raised here, as its own errors."""
    known: Fitted | None = kind.__dict__.get(KEPT)
    if known is None:
        template, schema = _swapped(kind, keeping=False)
        config = _config_of(schema)
        known = Fitted(template.models[-1], SchemaValidator(schema, config), SchemaSerializer(schema, config))
        type.__setattr__(kind, KEPT, known)
    return known


def keeper(kind: type) -> SchemaSerializer:
    """Dumps what `kind(**values)` takes, secrets in the clear."""
    known: SchemaSerializer | None = kind.__dict__.get(KEEPER)
    if known is None:
        _, schema = _swapped(kind, keeping=True)
        known = SchemaSerializer(schema, _config_of(schema))
        type.__setattr__(kind, KEEPER, known)
    return known


def _swapped(kind: type, *, keeping: bool) -> tuple[Template, Schema]:
    kinds = _all_in(kind)
    places = {one: place for place, one in enumerate(kinds)}
    template = build(tuple(_node(shape_of(one), places) for one in kinds))
    swap = _Swap(template, kinds, keeping=keeping)
    return template, swap.schema(dict(template.models[-1].__pydantic_core_schema__))


def _all_in(kind: type) -> list[type]:
    """The models that a model is made of, each after those in it; the model itself is last."""
    found: dict[type, None] = {}

    def visit(one: type) -> None:
        for part in shape_of(one).refs:
            if part not in found:
                visit(part)
        found[one] = None

    visit(kind)
    return list(found)


def _node(shape: Shape, places: dict[type, int]) -> Node:
    fields = tuple((name, field.frozen) for name, field in shape.fields.items())
    return Node(
        head=shape.head,
        config=tuple(shape.config.items()),
        fields=_placed(fields, places) if shape.refs else fields,
        checks=tuple((name, one.fields, one.mode, one.info, one.always) for name, one in shape.checks.items()),
    )


def _placed(frozen: Any, places: dict[type, int]) -> Any:
    """The same, with the places of models for the models."""
    if type(frozen) is Ref:
        return places[frozen.kind]
    return tuple([_placed(part, places) for part in frozen]) if type(frozen) is tuple else frozen


def _config_of(schema: Schema) -> Any:
    """The settings of the outermost model."""
    while schema["type"] != "model":
        schema = schema["schema"]
    return schema["config"]


def _is_schema(value: Any) -> bool:
    return type(value) is dict and type(value.get("type")) is str


class _Swap:
    """Copies a core schema with other classes and functions in it."""

    def __init__(self, template: Template, kinds: list[type], *, keeping: bool) -> None:
        self._holes = template.holes
        self._kinds = kinds
        self._keeping = keeping
        self._classes: dict[Any, Any] = dict(zip(template.models, kinds, strict=True)) | SECRETS

    def schema(self, schema: Schema) -> Schema:
        """The copy."""
        kind = schema["type"]
        if kind == "function-wrap" and (url := _url_of(schema)) is not None:
            return self._url(schema, url)
        copy = {key: self._part(kind, key, value) for key, value in schema.items() if key != "metadata"}
        if kind == "tagged-union":
            return {"type": "function-before", "function": {"type": "no-info", "function": _tagged}, "schema": copy}
        if kind == "model":
            self._of_model(copy)
        elif self._keeping:
            self._to_keep(copy)
        return copy

    def _part(self, kind: str, key: str, value: Any) -> Any:
        if key in ("fields", "choices") and type(value) is dict:
            return {name: self.schema(part) for name, part in value.items()}
        if key in ("default", "default_factory", "cls"):
            return self._object(value)
        if key == "function":
            return value | {"function": self._function(value["function"])} if type(value) is dict else value
        if _is_schema(value):
            return self.schema(value)
        if type(value) is list and kind != "literal":
            return [self._item(part) for part in value]
        return value

    def _item(self, part: Any) -> Any:
        if type(part) is tuple and part and _is_schema(part[0]):
            return (self.schema(part[0]), *part[1:])
        return self.schema(part) if _is_schema(part) else part

    def _object(self, value: Any) -> Any:
        hole = self._holes.get(id(value))
        if hole is not None:
            return self._own(hole)
        return self._classes.get(value, value) if isinstance(value, type) else value

    def _function(self, function: Any) -> Any:
        hole = self._holes.get(id(getattr(function, "__func__", function)))
        return self._own(hole) if hole is not None else self._object(function)

    def _own(self, hole: Hole) -> Any:
        kind = self._kinds[hole.model]
        shape = shape_of(kind)
        if hole.what == "check":
            return relay(shape.checks[hole.name], kind)
        field = shape.fields[hole.name]
        return field.default if hole.what == "default" else field.factory

    def _url(self, schema: Schema, url: type[AnyUrl]) -> Schema:
        def wrap_val(value: Any, parse: Any) -> Any:
            if isinstance(value, url):
                return value
            return url_of(url, parse(str(value) if isinstance(value, AnyUrl) else value))

        def text(value: Any, info: Any) -> Any:
            if not isinstance(value, url):  # in a union another may know what it is
                raise PydanticSerializationUnexpectedValue(f"expected {url.__name__}")
            return str(value) if info.mode == "json" else value

        return {
            "type": "function-wrap",
            "function": {"type": "no-info", "function": wrap_val},
            "schema": self.schema(schema["schema"]),
            "serialization": {"type": "function-plain", "function": text, "info_arg": True},
        }

    def _of_model(self, copy: Schema) -> None:
        kind = copy["cls"]
        if shape_of(kind).own_init:
            copy["custom_init"] = True
        if shape_of(kind).private or callable(getattr(kind, "model_post_init", None)):
            copy["post_init"] = "__made__"
        if self._keeping:
            copy["config"] = copy["config"] | {"ser_json_inf_nan": "strings", "ser_json_bytes": "utf8"}
            copy["config"].pop("ser_json_timedelta", None)

    def _to_keep(self, copy: Schema) -> None:
        """Named as it is read, nothing left out, nothing masked."""
        if copy["type"] == "model-field":
            copy.pop("serialization_exclude", None)
            copy.pop("serialization_exclude_if", None)
            copy["serialization_alias"] = copy.get("validation_alias")
            if type(copy["serialization_alias"]) is not str:
                del copy["serialization_alias"]
        serialization = copy.get("serialization")
        if copy["type"] == "json-or-python" and serialization is not None:
            copy["serialization"] = {"type": "function-plain", "function": _in_the_clear}


def _tagged(value: Any) -> Any:
    """What the core may look for a tag in: of any other object it would read the attribute, and tell what it found."""
    kind = type(value)
    if SHAPE in kind.__dict__ or kind.__module__ == "builtins" or isinstance(value, Mapping):
        return value
    raise PydanticKnownError("model_attributes_type")


def _in_the_clear(value: Any) -> Any:
    return open_secret(value) if isinstance(value, Secret) else value


def _url_of(schema: Schema) -> type[AnyUrl] | None:
    function = schema.get("serialization", {}).get("function")
    return URLS.get(getattr(function, "__self__", None))  # type: ignore[arg-type]
