"""`BaseModel` as a function sees it: a plain class of ours, whose values pydantic checks and dumps."""

from collections.abc import Callable, Iterator
from typing import Any, Self

from pydantic.json_schema import model_json_schema
from pydantic_core import ValidationError

from services.executor.modes.python.models.copies import deep as _deep
from services.executor.modes.python.models.errors import seen
from services.executor.modes.python.models.fields import ABSENT, Given, Hidden
from services.executor.modes.python.models.fitting import Fitted, fitted
from services.executor.modes.python.models.shapes import KEY, make_shape, shape_of
from services.executor.modes.python.models.views import FieldsView, SerializerView
from services.executor.modes.python.private import MARK

Values = dict[str, Any]  # a name that the methods of a model do not take


class BaseModel:
    """The base of models.

    Its own names are pydantic's. The slots are those that pydantic's core fills; a function cannot spell them.
    """

    __slots__ = ("__dict__", "__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__")
    __pydantic_extra__: Values | None
    __pydantic_fields_set__: set[str]
    __pydantic_private__: Values | None

    __pydantic_serializer__ = SerializerView()
    model_fields = FieldsView()

    def __init_subclass__(cls) -> None:
        shape = make_shape(cls, BaseModel)
        type.__setattr__(cls, KEY, shape)
        for name, value in list(cls.__dict__.items()):
            if name in shape.checks and shape.checks[name] is value:
                type.__setattr__(cls, name, shape.checks[name].function)
            elif name in shape.fields or name in shape.private or type(value) in (Given, Hidden):
                type.__delattr__(cls, name)
        if shape.config.get("frozen") == ("bool", True) and "__eq__" not in cls.__dict__:
            type.__setattr__(cls, "__hash__", _hash)

    def __init__(self, /, **data: Any) -> None:
        seen(_fitted(type(self)).validator.validate_python, data, self_instance=self)

    @classmethod
    def model_validate(cls, obj: Any, *, strict: bool | None = None, context: Any = None) -> Self:
        """An instance of a dict, or of an instance."""
        made: Self = seen(_fitted(cls).validator.validate_python, obj, strict=strict, context=context)
        return made

    @classmethod
    def model_validate_json(cls, json_data: str | bytes, *, strict: bool | None = None, context: Any = None) -> Self:
        """An instance of JSON text."""
        made: Self = seen(_fitted(cls).validator.validate_json, json_data, strict=strict, context=context)
        return made

    @classmethod
    def model_construct(cls, **values: Any) -> Self:
        """An instance of values that nobody checks."""
        made = cls.__new__(cls)
        fields = _fitted(cls).real.model_fields
        known = {name: value for name, value in values.items() if name in fields}
        shape = shape_of(cls)
        for name, field in fields.items():
            if name not in known and not field.is_required():
                own = shape.fields[name]
                known[name] = own.factory() if own.factory else _deep(own.default)
        extra = {name: value for name, value in values.items() if name not in fields}
        _fill(made, known, fields_set=set(values), extra=extra if _allows_extra(cls) else None)
        if shape.private or hasattr(cls, "model_post_init"):
            made.__made__(None)
        return made

    @classmethod
    def model_json_schema(cls, by_alias: bool = True, *, mode: str = "validation") -> Values:  # noqa: FBT001, FBT002, RUF100 - pydantic's signature
        """The JSON schema."""
        if mode not in ("validation", "serialization"):
            raise ValueError(f"mode must be 'validation' or 'serialization', not {mode!r}")
        real = _fitted(cls).real
        schema: Values = seen(model_json_schema, real, by_alias=bool(by_alias), mode=mode)
        return schema

    @classmethod
    def schema(cls, by_alias: bool = True) -> Values:  # noqa: FBT001, FBT002, RUF100 - pydantic's signature
        """The old spelling."""
        return cls.model_json_schema(by_alias)

    @classmethod
    def parse_obj(cls, obj: Any) -> Self:
        """The old spelling."""
        return cls.model_validate(obj)

    def model_dump(self, *, mode: str = "python", **options: Any) -> Values:
        """The values as a dict."""
        dumped: Values = seen(
            _fitted(type(self)).serializer.to_python, self, mode=mode, warnings=False, **_dumping(options)
        )
        return dumped

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """The values as JSON text."""
        text: bytes = seen(
            _fitted(type(self)).serializer.to_json, self, indent=indent, warnings=False, **_dumping(options)
        )
        return text.decode()

    def dict(self, **options: Any) -> Values:  # noqa: A003, RUF100 - pydantic's name
        """The old spelling."""
        return BaseModel.model_dump(self, **options)

    def json(self, **options: Any) -> str:
        """The old spelling."""
        return BaseModel.model_dump_json(self, **options)

    def model_copy(self, *, update: Any = None, deep: bool = False) -> Self:
        """Another instance; what is in `update` nobody checks."""
        made = BaseModel.__copied__(self, _deep if deep else _shallow)
        if update:
            _update(made, {**update})
        return made

    def copy(self, *, update: Any = None, deep: bool = False) -> Self:
        """The old spelling."""
        return BaseModel.model_copy(self, update=update, deep=deep)

    @property
    def model_fields_set(self) -> set[str]:
        """The fields that were given."""
        return set(self.__pydantic_fields_set__)

    @property
    def model_extra(self) -> Values | None:
        """What was given beside the fields, where the model allows it."""
        return self.__pydantic_extra__

    def __made__(self, context: Any) -> None:
        """Called by pydantic's core when an instance is complete."""
        private = {name: hidden.value() for name, hidden in shape_of(type(self)).private.items()}
        self.__pydantic_private__ = {name: value for name, value in private.items() if value is not ABSENT}
        then = getattr(self, "model_post_init", None)
        if then is not None:
            then(context)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__"):
            beside = self.__pydantic_private__ if name.startswith("_") else self.__pydantic_extra__
            if beside and name in beside:
                return beside[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        _set(self, name, value)

    def __delattr__(self, name: str) -> None:
        if name.startswith("_") and self.__pydantic_private__ and name in self.__pydantic_private__:
            del self.__pydantic_private__[name]
            return
        _check_frozen(type(self), name, None)
        if self.__pydantic_extra__ and name in self.__pydantic_extra__:
            del self.__pydantic_extra__[name]
        else:
            object.__delattr__(self, name)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        yield from ((name, value) for name, value in vars(self).items() if not name.startswith("_"))
        yield from (self.__pydantic_extra__ or {}).items()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseModel):
            return NotImplemented
        if type(self) is not type(other) or vars(self) != vars(other):
            return False
        if (self.__pydantic_extra__ or {}) != (other.__pydantic_extra__ or {}):
            return False
        return self.__pydantic_private__ == other.__pydantic_private__

    __hash__ = None  # type: ignore[assignment]

    def __deepcopy__(self, _: Any) -> Self:
        return self.__copied__()

    def __copied__(self, copied: Callable[[Any], Any] = _deep, into: Self | None = None) -> Self:
        """A copy with `copied` parts: a new instance, or one that has nothing yet."""
        made = type(self).__new__(type(self)) if into is None else into
        parts = (vars(self), self.__pydantic_extra__, self.__pydantic_private__)
        values, extra, private = copied(parts)
        _fill(made, values, fields_set=set(self.__pydantic_fields_set__), extra=extra, private=private)
        return made

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_shown(self, ', ')})"

    def __str__(self) -> str:
        return _shown(self, " ")


# None of its names, nor of what it stores, is private.
type.__setattr__(BaseModel, MARK, True)


def _fitted(kind: type) -> Fitted:
    if kind is BaseModel:
        raise TypeError("BaseModel has no fields: make a class of your own from it")
    return seen(fitted, kind)


def _shallow(parts: tuple[Any, ...]) -> list[Any]:
    return [None if part is None else {**part} for part in parts]


def _allows_extra(kind: type) -> bool:
    return shape_of(kind).config.get("extra") == ("str", "allow")


def _fill(made: BaseModel, values: Any, *, fields_set: set[str], extra: Any, private: Any = None) -> None:
    for slot, value in (
        ("__dict__", values),
        ("__pydantic_fields_set__", fields_set),
        ("__pydantic_extra__", extra),
        ("__pydantic_private__", private),
    ):
        object.__setattr__(made, slot, value)


def _update(made: BaseModel, update: Any) -> None:
    for name, value in update.items():
        if type(name) is not str or name.startswith("__"):
            raise ValueError(f"{str(name)[:50]!r} is no name of a field")
        if made.__pydantic_extra__ is not None and name not in shape_of(type(made)).fields:
            made.__pydantic_extra__[name] = value
        else:
            vars(made)[name] = value
        made.__pydantic_fields_set__.add(name)


_OPTIONS = (
    "include exclude context by_alias exclude_unset exclude_defaults exclude_none exclude_computed_fields round_trip "
    "serialize_as_any"
)
_DUMPING = frozenset(_OPTIONS.split())


def _dumping(options: Any) -> Any:
    options.pop("warnings", None)
    unknown = options.keys() - _DUMPING
    if unknown:
        raise TypeError(f"unexpected argument {min(unknown)!r}")
    return options


def _check_frozen(kind: type, name: str, value: Any) -> None:
    real = _fitted(kind).real
    field = real.model_fields.get(name)
    if real.model_config.get("frozen"):
        error = "frozen_instance"
    elif field is not None and field.frozen:
        error = "frozen_field"
    else:
        return
    seen(_raise_frozen, kind.__name__, error, name, value)


def _raise_frozen(title: str, error: Any, name: str, value: Any) -> None:
    raise ValidationError.from_exception_data(title, [{"type": error, "loc": (name,), "input": value}])


def _set(model: BaseModel, name: str, value: Any) -> None:
    kind = type(model)
    shape = shape_of(kind)
    if name.startswith("_"):
        if name not in shape.private:
            object.__setattr__(model, name, value)
        elif model.__pydantic_private__ is None:
            object.__setattr__(model, "__pydantic_private__", {name: value})
        else:
            model.__pydantic_private__[name] = value
        return
    if name in shape.class_variables:
        raise AttributeError(
            f"{name!r} is a ClassVar of `{kind.__name__}` and cannot be set on an instance. "
            f"If you want to set a value on the class, use `{kind.__name__}.{name} = value`."
        )
    _check_frozen(kind, name, value)
    attribute = getattr(kind, name, ABSENT)
    if isinstance(attribute, property):
        attribute.__set__(model, value)
    elif shape.config.get("validate_assignment") == ("bool", True):
        seen(_fitted(kind).validator.validate_assignment, model, name, value)
    elif name in shape.fields:
        vars(model)[name] = value
        model.__pydantic_fields_set__.add(name)
    elif not _allows_extra(kind):
        raise ValueError(f'"{kind.__name__}" object has no field "{name}"')
    elif attribute is ABSENT:
        _set_extra(model, name, value)
    else:
        object.__setattr__(model, name, value)


def _set_extra(model: BaseModel, name: str, value: Any) -> None:
    extra = {} if model.__pydantic_extra__ is None else model.__pydantic_extra__
    extra[name] = value
    object.__setattr__(model, "__pydantic_extra__", extra)
    model.__pydantic_fields_set__.add(name)


def _shown(model: BaseModel, separator: str) -> str:
    fields = _fitted(type(model)).real.model_fields
    parts = [
        f"{name}={'...' if value is model else repr(value)}"
        for name, value in vars(model).items()
        if name in fields and fields[name].repr
    ]
    parts += [f"{name}={value!r}" for name, value in (model.__pydantic_extra__ or {}).items()]
    return separator.join(parts)


def _hash(self: BaseModel) -> int:
    return hash(tuple(vars(self).values()))
