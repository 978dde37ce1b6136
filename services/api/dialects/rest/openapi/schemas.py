"""The schemas of all bodies, from the structs that decode and encode them."""

import re
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from typing import Any, get_args, get_origin

import msgspec
from msgspec import NODEFAULT
from msgspec import inspect as looked

_REF = "#/components/schemas/{name}"
_GENERIC = re.compile(r"(\w+?)_(\w+)_")  # what a struct with a parameter is called: Page_FunctionRow_


class Schemas:
    """Schemas of bodies that are `received`, and of those that are `sent`, each struct once under its own name."""

    def __init__(self, *, received: Iterable[Any], sent: Iterable[Any]) -> None:
        takes, gives = list(dict.fromkeys(received)), list(dict.fromkeys(sent))
        kinds = [*takes, *gives]
        schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
        self._of: dict[Any, dict[str, Any]] = {kind: _tidy(schema) for kind, schema in zip(kinds, schemas, strict=True)}
        self.components = {_name(name): {**_tidy(schema), "title": _name(name)} for name, schema in components.items()}
        taken = {kind.cls for kind in _structs(takes)}
        for kind in _structs(gives):
            if kind.cls not in taken and (named := self.components.get(_called(kind.cls))) is not None:
                named["required"] = _always(kind)

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of one of them."""
        return self._of[kind]


def _name(name: str) -> str:
    return _GENERIC.sub(r"\2\1", name)


def _tidy(schema: Any) -> Any:
    """The same in the words of every reader: patterns of JSON have no \\A and no \\Z, and names are ours."""
    if isinstance(schema, list):
        return [_tidy(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    tidied = {key: _tidy(value) for key, value in schema.items() if key != "uniqueItems"}  # a set takes repeats
    if isinstance(described := schema.get("description"), str):
        tidied["description"] = cleandoc(described)
    if isinstance(pattern := schema.get("pattern"), str):
        tidied["pattern"] = re.sub(r"^\\A", "^", re.sub(r"\\Z$", "$", pattern))
    if isinstance(ref := schema.get("$ref"), str):
        path, _, name = ref.rpartition("/")
        tidied["$ref"] = f"{path}/{_name(name)}"
    return tidied


def _called(struct: Any) -> str:
    """The name of a struct, and of one that has another as its parameter: FunctionRowPage."""
    origin = get_origin(struct)
    return "".join(part.__name__ for part in (*get_args(struct), origin or struct))


def _always(kind: looked.StructType) -> list[str]:
    """The fields that an encoded struct always has: also those with a default."""
    sparse = (get_origin(kind.cls) or kind.cls).__struct_config__.omit_defaults
    return [
        field.encode_name
        for field in kind.fields
        if field.required or not (sparse or NODEFAULT is field.default is field.default_factory)
    ]


def _structs(kinds: Iterable[Any]) -> Iterator[looked.StructType]:
    """Every struct in these types, once."""
    seen: set[Any] = set()
    left: list[Any] = list(looked.multi_type_info(kinds))
    while left:
        kind = left.pop()
        if isinstance(kind, looked.StructType):
            if kind.cls in seen:
                continue
            seen.add(kind.cls)
            yield kind
        for inside in ("type", "item_type", "key_type", "value_type"):
            left += [part] if isinstance(part := getattr(kind, inside, None), looked.Type) else []
        for inside in ("types", "item_types", "fields"):
            left += getattr(kind, inside, ())
