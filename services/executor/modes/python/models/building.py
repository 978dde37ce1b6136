"""From frozen definitions to pydantic's real models. They never leave the platform's own code."""

import datetime
import functools
import typing
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, NamedTuple, Union
from uuid import UUID

import pydantic

from services.executor.modes.python.models.plain import Frozen, thaw
from services.executor.modes.python.models.strangers import REAL

MOST_TEMPLATES: Final = 16
"""Definitions a worker keeps built; a plugin has a handful."""

_PLAIN_TYPES: dict[str, Any] = {
    "Any": Any,
    "None": None,
    **{kind.__name__: kind for kind in (str, int, float, bool, bytes, complex, list, dict, set, frozenset, tuple)},
    "Sequence": Sequence,
    "Mapping": Mapping,
    "date": datetime.date,
    "datetime": datetime.datetime,
    "time": datetime.time,
    "timedelta": datetime.timedelta,
    "Decimal": Decimal,
    "UUID": UUID,
} | {real.__name__: real for real in REAL.values()}


class Node(NamedTuple):
    """One model of a definition, frozen; other models are in it as their places in the definition."""

    head: tuple[str, str, str, str | None]
    config: tuple[tuple[str, Frozen], ...]
    fields: tuple[tuple[str, Frozen], ...]
    checks: tuple[tuple[str, tuple[str, ...], str, bool, bool], ...]


class Hole(NamedTuple):
    """A place in a core schema where an object of the function's own goes: a default, a factory, a check."""

    model: int
    what: Literal["default", "factory", "check"]
    name: str


class Template(NamedTuple):
    """The real models of a definition, the one that it is of last. `held` keeps what `holes` knows by its id."""

    models: tuple[type[pydantic.BaseModel], ...]
    holes: dict[int, Hole]
    held: list[Any]


@functools.lru_cache(maxsize=MOST_TEMPLATES)
def build(definition: tuple[Node, ...]) -> Template:
    """The real models of a definition. Nothing of a function's own is in them, so they outlive its calls."""
    building = _Building()
    for node in definition:
        building.add(node)
    return Template(tuple(building.models), building.holes, building.held)


class _Building:
    def __init__(self) -> None:
        self.models: list[type[pydantic.BaseModel]] = []
        self.holes: dict[int, Hole] = {}
        self.held: list[Any] = []

    def add(self, node: Node) -> None:
        name, path, module, doc = node.head
        always = {field for _, fields, _, _, old in node.checks if old for field in fields}
        fields: dict[str, Any] = {
            field: self._field(field, frozen, always=field in always) for field, frozen in node.fields
        }
        config: Any = {key: thaw(value) for key, value in node.config}
        made = pydantic.create_model(
            name,
            __config__=config or None,
            __doc__=doc,
            __module__=module,
            __qualname__=path,
            __validators__=self._checks(node),
            **fields,
        )
        self.models.append(made)

    def _hole(self, stand_in: Any, what: Literal["default", "factory", "check"], name: str) -> Any:
        self.held.append(stand_in)
        self.holes[id(stand_in)] = Hole(len(self.models), what, name)
        return stand_in

    def _field(self, name: str, frozen: Frozen, *, always: bool) -> Any:
        form, given = frozen
        kind = self._type(form)
        if given is None:
            return kind
        default, named, takes_data = given
        named = {key: thaw(value) for key, value in named}
        if always:
            named["validate_default"] = True
        if takes_data is not None:
            stand_in: Any = (lambda data: None) if takes_data else (lambda: None)
            return (kind, pydantic.Field(default_factory=self._hole(stand_in, "factory", name), **named))
        if default is None:
            return (kind, pydantic.Field(**named))
        value = thaw(default, self._stranger)
        if not _is_plain(default):
            self._hole(value, "default", name)
        return (kind, pydantic.Field(value, **named) if named else value)

    def _stranger(self, frozen: Frozen) -> Any:
        """A default that is a secret, a URL or a model."""
        if frozen[0] != "instance":
            return getattr(pydantic, frozen[0])(thaw(frozen[1]))
        _, place, values, fields_set = frozen
        model = self.models[place]
        made = model.__new__(model)
        known = thaw(values, self._stranger)
        extra = {name: known.pop(name) for name in list(known) if name not in model.model_fields}
        for slot, value in (
            ("__dict__", known),
            ("__pydantic_fields_set__", set(thaw(fields_set))),
            ("__pydantic_extra__", extra if model.model_config.get("extra") == "allow" else None),
            ("__pydantic_private__", None),
        ):
            object.__setattr__(made, slot, value)
        return made

    def _checks(self, node: Node) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for number, (name, fields, mode, info, _) in enumerate(node.checks):
            attribute = f"__check_{number}"  # not its own name, which may be one of pydantic's
            how: Any = mode
            marked: Any = pydantic.field_validator(*fields, mode=how) if fields else pydantic.model_validator(mode=how)
            if not fields and mode == "after":
                # pydantic counts what they take.
                stand_in: Any = (lambda self, info: self) if info else (lambda self: self)
                made[attribute] = marked(self._hole(stand_in, "check", name))
            else:
                stand_in = (lambda cls, value, info: value) if info else (lambda cls, value: value)
                made[attribute] = marked(classmethod(self._hole(stand_in, "check", name)))
        return made

    def _type(self, form: Frozen) -> Any:
        return _type(form, self.models)


def _is_plain(frozen: Frozen) -> bool:
    try:
        thaw(frozen)
    except TypeError:
        return False
    return True


def _type(form: Frozen, models: Sequence[Any]) -> Any:
    """The type for pydantic that a form stands for. Forms are ours, so a name that is unknown here is our own fault."""
    name, *rest = form
    if name == "model":
        return models[rest[0]]
    if name == "Literal":
        return Literal[tuple(thaw(value) for value in rest[0])]
    if name == "Annotated":
        notes = [pydantic.Field(**_named(given)) for given in rest[1]]
        return Annotated[(_type(rest[0], models), *notes)] if notes else _type(rest[0], models)
    if name == "Union":
        return Union[tuple(_type(part, models) for part in rest)]  # noqa: UP007 - of a number that is not known
    if name == "Final":
        return typing.Final[_type(rest[0], models)]
    if name == "pydantic":
        real = getattr(pydantic, rest[0])
        named = thaw(rest[2])
        return real if named is None else real(*(_type(part, models) for part in rest[1]), **named)
    kind = _PLAIN_TYPES[name]
    return kind[tuple(... if part == ("...",) else _type(part, models) for part in rest)] if rest else kind


def _named(given: Frozen) -> dict[str, Any]:
    default, named = given
    return {key: thaw(value) for key, value in named} | ({} if default is None else {"default": thaw(default)})
