"""The names of the `pydantic` that a function imports."""

from collections.abc import Callable
from typing import Any

from services.executor.modes.python.hints import Hint
from services.executor.modes.python.models.checks import ValidationInfo, field_validator, model_validator, validator
from services.executor.modes.python.models.describing import ALIAS
from services.executor.modes.python.models.errors import ValidationError
from services.executor.modes.python.models.fields import field, private_attribute
from services.executor.modes.python.models.model import BaseModel
from services.executor.modes.python.models.strangers import AnyHttpUrl, AnyUrl, HttpUrl, SecretBytes, SecretStr

_TYPES = """PositiveInt NegativeInt NonNegativeInt NonPositiveInt PositiveFloat NegativeFloat NonNegativeFloat
NonPositiveFloat FiniteFloat StrictBool StrictInt StrictFloat StrictStr StrictBytes"""
_MAKERS = "conint confloat constr condecimal"
_MAKERS_OF_ITEMS = "conlist conset"


def _config(**settings: Any) -> dict[str, Any]:
    """`ConfigDict`."""
    return settings


def _maker(name: str) -> Callable[..., Hint]:
    return lambda **named: Hint(ALIAS, (name, (), named))


def _maker_of_items(name: str) -> Callable[..., Hint]:
    return lambda item_type, **named: Hint(ALIAS, (name, (item_type,), named))


def names() -> dict[str, Any]:
    """Name by name; what is not here is not there."""
    plain = (BaseModel, ValidationError, ValidationInfo, SecretStr, SecretBytes, AnyUrl, AnyHttpUrl, HttpUrl)
    return (
        {kind.__name__: kind for kind in plain}
        | {name: Hint(ALIAS, (name, (), None)) for name in _TYPES.split()}
        | {name: _maker(name) for name in _MAKERS.split()}
        | {name: _maker_of_items(name) for name in _MAKERS_OF_ITEMS.split()}
        | {
            "ConfigDict": _config,
            "EmailStr": Hint("EmailStr"),
            "Field": field,
            "PrivateAttr": private_attribute,
            "field_validator": field_validator,
            "model_validator": model_validator,
            "validator": validator,
        }
    )
