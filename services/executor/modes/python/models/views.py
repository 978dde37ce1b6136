"""What a model's class shows of itself: made when it is asked for."""

import copy
from typing import Any

from services.executor.modes.python.models.closed import Closed
from services.executor.modes.python.models.errors import seen
from services.executor.modes.python.models.fields import ABSENT
from services.executor.modes.python.models.fitting import fitted
from services.executor.modes.python.models.shapes import KEY, shape_of

_NAMES = ["alias", "title", "description", "examples", "deprecated", "json_schema_extra", "frozen", "repr", "exclude"]


class FieldInfo(Closed):
    """What `model_fields` tells of a field."""

    def __init__(self, kind: type, name: str) -> None:
        shape = shape_of(kind).fields[name]
        real = seen(fitted, kind).real.model_fields[name]
        for title in _NAMES:
            setattr(self, title, copy.deepcopy(getattr(real, title)))
        self.annotation = shape.written
        self.required = real.is_required()
        self.default = None if shape.default is ABSENT else shape.default
        self.default_factory = shape.factory

    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.required


class FieldsView:
    """`model_fields` of a class."""

    def __get__(self, _: Any, kind: type) -> dict[str, FieldInfo]:
        if KEY not in kind.__dict__:
            return {}
        return {name: FieldInfo(kind, name) for name in shape_of(kind).fields}


class SerializerView:
    """For the core, where a field says nothing of the type of its value."""

    def __get__(self, _: Any, kind: type) -> Any:
        if KEY not in kind.__dict__:
            raise AttributeError("no model")
        return fitted(kind).serializer
