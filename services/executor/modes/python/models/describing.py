"""From what a function wrote as a type to a form: nested tuples of names, by an allow-list.

Only forms are ever made into types for pydantic, which evaluates strings and calls methods of what it finds.
"""

import datetime
import types
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from services.executor.modes.python.hints import Hint, arguments_of, title_of
from services.executor.modes.python.models.fields import Given, freeze_given
from services.executor.modes.python.models.plain import MOST_DEPTH, Frozen, freeze
from services.executor.modes.python.models.strangers import REAL

Form = tuple[Any, ...]
Model = Callable[[type], Form | None]
"""The form of a model's class; None for any other class."""

_NAMED: dict[Any, str] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    bytes: "bytes",
    complex: "complex",
    object: "Any",
    type(None): "None",
    list: "list",
    dict: "dict",
    set: "set",
    frozenset: "frozenset",
    tuple: "tuple",
    datetime.date: "date",
    datetime.datetime: "datetime",
    datetime.time: "time",
    datetime.timedelta: "timedelta",
    Decimal: "Decimal",
    uuid.UUID: "UUID",
} | {ours: ours.__name__ for ours in REAL}

# Of `typing`: what they are called here, and how many types stand in their brackets; a tuple has any number.
_GENERIC = {
    "List": "list",
    "Set": "set",
    "FrozenSet": "frozenset",
    "Sequence": "Sequence",
    "Dict": "dict",
    "Mapping": "Mapping",
    "Tuple": "tuple",
}
_ARITY = {"list": 1, "set": 1, "frozenset": 1, "Sequence": 1, "dict": 2, "Mapping": 2}
_LITERALS = (str, int, bool, bytes, type(None))

ALIAS = "pydantic."
"""How the hints of `models` are called whose form is their second argument."""


class UnfitTypeError(TypeError):
    """This is no type for a field of a model."""


def form_of(written: Any, model: Model, *, depth: int = 0) -> Form:
    """The form of an annotation. Raises UnfitTypeError."""
    if depth > MOST_DEPTH:
        raise UnfitTypeError("its type is nested too deeply")
    inner = _Inner(model, depth + 1)
    kind = type(written)
    if written is None:
        return ("None",)
    if kind is type:
        return _of_class(written, model)
    if kind is types.GenericAlias and written.__origin__ in _NAMED:
        return inner.generic(_NAMED[written.__origin__], written.__args__)
    if kind is types.UnionType:
        return inner.union(written.__args__)
    if kind is Hint:
        return inner.hint(written)
    if kind is str:
        raise UnfitTypeError(f"{written[:50]!r} is a text, not a type: models take no forward references")
    raise UnfitTypeError(f"{kind.__name__} objects are no types for fields")


def is_class_variable(written: Any, *, has_default: bool) -> bool:
    """Whether it says that there is no field. What is final and has a value is the class's, as pydantic takes it."""
    return type(written) is Hint and (title_of(written) == "ClassVar" or (has_default and title_of(written) == "Final"))


def _of_class(written: type, model: Model) -> Form:
    if written in _NAMED:
        return (_NAMED[written],)
    form = model(written)
    if form is None:
        raise UnfitTypeError(f"the class {written.__name__} is no type for fields")
    return form


class _Inner:
    """Makes forms of what stands in brackets."""

    def __init__(self, model: Model, depth: int) -> None:
        self._model = model
        self._depth = depth

    def _form(self, written: Any) -> Form:
        return form_of(written, self._model, depth=self._depth)

    def hint(self, written: Hint) -> Form:
        title, arguments = title_of(written), arguments_of(written)
        if title == "Any":
            return ("Any",)
        if title in _GENERIC:
            return self.generic(_GENERIC[title], arguments)
        if title == "EmailStr":
            raise ImportError("EmailStr needs the package email-validator, which is not available here")
        if arguments is None or title not in ("Optional", "Union", "Literal", "Annotated", "Final", ALIAS):
            raise UnfitTypeError(f"{title} is no type for fields")
        if not arguments:
            raise UnfitTypeError(f"{title} needs something in its brackets")
        return self._special(title, arguments)

    def _special(self, title: str, arguments: tuple[Any, ...]) -> Form:
        if title == "Literal":
            return ("Literal", tuple(_literal(value) for value in arguments))
        if title == "Annotated":
            return self._annotated(arguments)
        if title == ALIAS:
            name, types_in_it, named = arguments
            return ("pydantic", name, tuple(self._form(part) for part in types_in_it), freeze(named))
        if title == "Union":
            return self.union(arguments)
        if len(arguments) != 1:
            raise UnfitTypeError(f"{title} takes one type")
        if title == "Optional":
            return self.union((*arguments, None))
        return ("Final", self._form(arguments[0]))

    def generic(self, name: str, arguments: tuple[Any, ...] | None) -> Form:
        """A container, with the types of what is in it."""
        if arguments is None:
            return (name,)
        if name == "tuple":
            if len(arguments) == 2 and arguments[1] is ...:  # noqa: PLR2004 - as in tuple[int, ...]
                return ("tuple", self._form(arguments[0]), ("...",))
            return ("tuple", *(() if arguments == ((),) else map(self._form, arguments)))
        if len(arguments) != _ARITY.get(name):
            raise UnfitTypeError(f"{name} does not take {len(arguments)} types")
        return (name, *map(self._form, arguments))

    def union(self, arguments: tuple[Any, ...]) -> Form:
        """One of several types."""
        return ("Union", *map(self._form, arguments))

    def _annotated(self, arguments: tuple[Any, ...]) -> Form:
        fields: list[Frozen] = []
        for note in arguments[1:]:
            if type(note) is Given:
                if note.factory is not None:
                    raise UnfitTypeError("default_factory belongs behind the =, not into Annotated")
                fields.append(freeze_given(note))
            elif type(note) is not str:  # pydantic takes no notice of texts, and is not given any
                raise UnfitTypeError(f"{type(note).__name__} objects mean nothing in Annotated")
        return ("Annotated", self._form(arguments[0]), tuple(fields))


def _literal(value: Any) -> Frozen:
    if type(value) not in _LITERALS:
        raise UnfitTypeError(f"{type(value).__name__} objects are no values of a Literal")
    return freeze(value)
