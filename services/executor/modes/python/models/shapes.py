"""The shape of a model: what its class statement said, checked and frozen, with the function's objects beside it."""

from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, NamedTuple

from services.executor.modes.python.models.checks import Check
from services.executor.modes.python.models.configs import freeze_config
from services.executor.modes.python.models.describing import Form, form_of, is_class_variable
from services.executor.modes.python.models.fields import ABSENT, Given, Hidden, freeze_given, has_default
from services.executor.modes.python.models.plain import Frozen, freeze
from services.executor.modes.python.models.strangers import REAL, AnyUrl, open_secret

KEY: Final = "__the shape__"
"""Where a class has it: a name that no code can spell."""

MOST_LEVELS: Final = 24
"""Models in models; pydantic descends by recursion, in C as well."""

_METHODS = (FunctionType, classmethod, staticmethod, property)


class Ref(NamedTuple):
    """Stands for a model in the form of another."""

    kind: type


class FieldShape(NamedTuple):
    """One field. `frozen` says all of it but the function's own objects: a default that is not plain, a factory."""

    written: Any
    frozen: Frozen
    default: Any
    factory: Callable[..., Any] | None


class Shape(NamedTuple):
    """One model. `head` is its name, path, module and docstring; `refs` are the models in it."""

    head: Frozen
    fields: dict[str, FieldShape]
    config: dict[str, Frozen]
    checks: dict[str, Check]
    class_variables: frozenset[str]
    private: dict[str, Hidden]
    own_init: bool
    refs: tuple[type, ...]
    level: int


def shape_of(kind: type) -> Shape:
    """The shape of a model's class."""
    shape: Shape = kind.__dict__[KEY]
    return shape


def make_shape(kind: type, root: type) -> Shape:
    """Read the body of a class. Raises TypeError that names the model and what is wrong."""
    body = dict(kind.__dict__)
    parents = [shape_of(base) for base in reversed(kind.__mro__[1:]) if KEY in base.__dict__]
    written: dict[str, Any] = body.get("__annotations__", {})
    fields: dict[str, FieldShape] = {}
    checks: dict[str, Check] = {}
    config: dict[str, Frozen] = {}
    class_variables: set[str] = set()
    private: dict[str, Hidden] = {}
    for parent in parents:
        fields |= parent.fields
        checks |= parent.checks
        config |= parent.config
        class_variables |= parent.class_variables
        private |= parent.private
    class_variables |= {
        name
        for name, hint in written.items()
        if is_class_variable(hint, has_default=_has_default(body.get(name, ABSENT)))
    }
    _check_body(kind.__name__, body, written, inherited=fields, class_variables=class_variables)
    refs = _Refs(root, parents)
    private |= _private(body, written, class_variables)
    for name, hint in written.items():
        if name not in class_variables and name not in private and name != "model_config":
            fields[name] = _field(f"{kind.__name__}.{name}", hint, body.get(name, ABSENT), refs)
    return Shape(
        head=(kind.__name__, kind.__qualname__, str(kind.__module__), _text(body.get("__doc__"))),
        fields=fields,
        config=config | _config(kind.__name__, body),
        checks=_checks(checks, body),
        own_init=kind.__init__ is not root.__init__,  # type: ignore[misc]
        class_variables=frozenset(class_variables),
        private=private,
        refs=tuple(refs.found),
        level=refs.level(kind.__name__),
    )


def _has_default(value: Any) -> bool:
    return has_default(value) or value.factory is not None if type(value) is Given else value is not ABSENT


def _text(value: Any) -> str | None:
    return value if type(value) is str else None


class _Refs:
    """Finds the models that a model is made of."""

    def __init__(self, root: type, parents: list[Shape]) -> None:
        self._root = root
        self.found: dict[type, None] = {kind: None for parent in parents for kind in parent.refs}

    def form(self, kind: type) -> Form | None:
        """The form of a class that may be a model."""
        if not issubclass(kind, self._root) or kind is self._root:
            return None
        self.found[kind] = None
        return ("model", Ref(kind))

    def foreign(self, value: Any) -> Frozen | None:
        """Freezes our own objects: secrets, URLs and models as defaults."""
        kind = type(value)
        if kind in REAL:
            return (kind.__name__, freeze(str(value) if isinstance(value, AnyUrl) else open_secret(value)))
        if KEY not in kind.__dict__:
            return None
        state = vars(value) | (value.__pydantic_extra__ or {})
        self.found[kind] = None
        return ("instance", Ref(kind), freeze(state, self.foreign), freeze(list(value.__pydantic_fields_set__)))

    def level(self, name: str) -> int:
        """How many models are in each other."""
        level = 1 + max((shape_of(kind).level for kind in self.found), default=0)
        if level > MOST_LEVELS:
            raise TypeError(f"{name}: more than {MOST_LEVELS} models in each other")
        return level


def _checks(inherited: dict[str, Check], body: dict[str, Any]) -> dict[str, Check]:
    """As in pydantic: what stands in the place of a check in a class below is that check, with or without a mark."""
    checks = {
        name: check.by(body[name]) if type(body.get(name)) in _METHODS else check for name, check in inherited.items()
    }
    return checks | {name: value for name, value in body.items() if type(value) is Check}


def _private(body: dict[str, Any], written: dict[str, Any], class_variables: set[str]) -> dict[str, Hidden]:
    """The private attributes: what is no method, and has a name that starts with one underscore."""
    found = {}
    for name in {**written, **body}:
        value = body.get(name, ABSENT)
        if not name.startswith("_") or name.startswith("__") or name in class_variables:
            continue
        if type(value) is Check or type(value) in _METHODS or type(value) is type:
            continue
        if type(value) is Given:
            raise TypeError(f"Fields must not use names with leading underscores; e.g., use {name.lstrip('_')!r}.")
        found[name] = value if type(value) is Hidden else Hidden(value)
    return found


def _field(title: str, written: Any, value: Any, refs: _Refs) -> FieldShape:
    try:
        form = form_of(written, refs.form)
        given = value if type(value) is Given else Given(value, None, {}) if value is not ABSENT else None
        if given is None:
            return FieldShape(written, (form, None), ABSENT, None)
        if given.factory is not None and not callable(given.factory):
            raise TypeError("default_factory must be a function")
        frozen = freeze_given(given, refs.foreign)
    except (TypeError, ImportError) as error:
        raise (
            type(error)(f"{title}: {error}") if type(error) is ImportError else TypeError(f"{title}: {error}")
        ) from None
    takes = None if given.factory is None else _takes_data(given.factory)
    default = given.default if has_default(given) else ABSENT
    return FieldShape(written, (form, (*frozen, takes)), default, given.factory)


def _takes_data(factory: Any) -> bool:
    """Whether a default_factory wants the fields before it."""
    if type(factory) is not FunctionType:
        return False
    return factory.__code__.co_argcount - len(factory.__defaults__ or ()) == 1


def _config(name: str, body: dict[str, Any]) -> dict[str, Frozen]:
    config, old = body.get("model_config"), body.get("Config")
    if config is not None and old is not None:
        raise TypeError(f"{name}: class Config and model_config cannot be used together")
    if type(old) is type:
        return freeze_config({key: value for key, value in vars(old).items() if not key.startswith("_")}, old=True)
    return {} if config is None else freeze_config(config)


def _check_body(
    title: str, body: dict[str, Any], written: dict[str, Any], *, inherited: dict[str, Any], class_variables: set[str]
) -> None:
    """Whether everything in the body is a field, a method, or said to be neither."""
    for name, value in body.items():
        if name in written or name in class_variables or name in ("model_config", "Config") or name.startswith("_"):
            continue
        if type(value) is Check or type(value) in _METHODS or type(value) is type:
            continue
        if name in inherited:
            raise TypeError(
                f"Field {name!r} defined on a base class was overridden by a non-annotated attribute. "
                "All field definitions, including overrides, require a type annotation."
            )
        if type(value) is Given:
            raise TypeError(f"{title}: Field {name!r} requires a type annotation")
        raise TypeError(
            f"{title}: A non-annotated attribute was detected: `{name}`. All model fields require a type annotation; "
            f"if `{name}` is not meant to be a field, annotate it as a `ClassVar`."
        )
