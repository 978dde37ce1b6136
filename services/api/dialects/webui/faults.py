"""All that is wrong with what was sent, each with the way to it, in the kinds and sentences that clients know. Pure."""

from collections.abc import Iterable
from itertools import chain, islice
from typing import Annotated, Any, get_args, get_origin

import msgspec
import msgspec.structs

from services.api.dialects.webui.wire.problems import Fault

Way = tuple[str | int, ...]

INSIDE = "inside"
"""Beside the type of a field, in its `extra`: the form of an object that is kept as it was sent."""
_MOST = 100  # told of one request
_KINDS = {
    "str": ("string_type", "Input should be a valid string"),
    "int": ("int_type", "Input should be a valid integer"),
    "bool": ("bool_type", "Input should be a valid boolean"),
    "object": ("dict_type", "Input should be a valid dictionary"),
    "array": ("list_type", "Input should be a valid list"),
}


def faults(kind: Any, value: Any, way: Way) -> list[Fault]:
    """What is wrong with a value that is to be of this type: nothing, or the first `_MOST` things."""
    return list(islice(_faults(kind, value, way), _MOST))


def fault(said: str, way: Way) -> Fault:
    """One thing, from the sentence in which it was found."""
    _, _, rest = said.partition("Expected `")
    wanted, _, got = rest.partition("`")
    known = _KINDS.get(wanted.partition(" ")[0]) if got.startswith(", got") else None
    type, sentence = known or ("value_error", said.partition(" - at `$")[0])
    return Fault(type=type, loc=way, msg=sentence)


def missing(way: Way) -> Fault:
    """Something that is required."""
    return Fault(type="missing", loc=way, msg="Field required")


def _faults(kind: Any, value: Any, way: Way) -> Iterable[Fault]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _of_struct(kind, value, way)
    if get_origin(kind) is list and isinstance(value, list):
        [each] = get_args(kind)
        return chain.from_iterable(_faults(each, one, (*way, at)) for at, one in enumerate(value))
    if isinstance(value, dict) and (inside := _inside(kind)) is not None:
        return _of_struct(inside, value, way)
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return [fault(str(error), way)]
    return []


def _inside(kind: Any) -> type[msgspec.Struct] | None:
    if get_origin(kind) is not Annotated:
        return None
    found: type[msgspec.Struct] = get_args(kind)[1].extra[INSIDE]
    return found


def _of_struct(kind: type[msgspec.Struct], value: Any, way: Way) -> Iterable[Fault]:
    if not isinstance(value, dict):
        yield Fault(type="model_attributes_type", loc=way, msg="Input should be a valid dictionary or object")
        return
    for field in msgspec.structs.fields(kind):
        if field.encode_name in value:
            yield from _faults(field.type, value[field.encode_name], (*way, field.encode_name))
        elif field.required:
            yield missing((*way, field.encode_name))
