"""What the platform asks of a function's models. Nothing here goes through what a model's class can redefine."""

from typing import Any

from pydantic.json_schema import model_json_schema
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from services.executor.modes.python.models.errors import ValidationError as OurError
from services.executor.modes.python.models.errors import core_of, ours, seen
from services.executor.modes.python.models.fitting import fitted, keeper
from services.executor.modes.python.models.model import BaseModel
from services.executor.modes.python.tracebacks import sentence


def is_model(kind: Any) -> bool:
    """Whether it is a class that was made from `BaseModel`."""
    return isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not BaseModel


def schema(kind: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of the values that it takes. Raises TypeError for a definition that pydantic refuses."""
    made: dict[str, Any] = seen(model_json_schema, seen(fitted, kind).real)
    return made


def made(kind: type[BaseModel], values: dict[str, Any]) -> BaseModel:
    """An instance. Raises the ValidationError that functions see, and whatever the function's own checks raise.

    Its text says nothing of the values, which may be secret: whoever calls, and all who read records, are told it.
    """
    try:
        return kind(**values)
    except OurError as error:
        core = core_of(error)
        raise error if core is None else ours(_told(core, core.errors(include_url=False))) from None


def kept(instance: BaseModel) -> dict[str, Any]:
    """The values that were given, JSON-ready and with secrets in the clear, so that `made` makes the same of them."""
    serializer = seen(keeper, type(instance))
    values: dict[str, Any] = seen(
        serializer.to_python, instance, mode="json", by_alias=True, exclude_unset=True, warnings=False
    )
    return values


def misfit(kind: type[BaseModel], values: dict[str, Any]) -> str:
    """Why the class does not take these values, which it may have taken once; a value that is missing is no reason."""
    validator = seen(fitted, kind).validator
    try:
        seen(validator.validate_python, values)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the function's own checks may raise anything
        core = core_of(error) if isinstance(error, OurError) else None
        if core is None:
            return sentence(error)
        wrong = [one for one in core.errors(include_url=False) if one["type"] != "missing"]
        return str(_told(core, wrong)) if wrong else ""
    return ""


def _told(error: ValidationError, lines: list[Any]) -> ValidationError:
    """An error of these lines that does not show its input: of a value that is missing, that is all the others."""
    again = [_again(one) for one in lines]
    return ValidationError.from_exception_data(error.title, again, hide_input=True)


def _again(error: Any) -> InitErrorDetails:
    """A line of an error, for another error."""
    return {"type": PydanticCustomError(error["type"], error["msg"]), "loc": error["loc"], "input": error["input"]}


def has_secrets(kind: type[BaseModel]) -> bool:
    """Whether a value of it is marked as secret: by its type, by its schema, or by how it is asked for."""
    return _marked(schema(kind))


def _marked(part: Any) -> bool:
    """Looks everywhere, at defaults as well: what is taken for a secret by mistake is only kept with more care."""
    if isinstance(part, list):
        return any(map(_marked, part))
    if not isinstance(part, dict):
        return False
    asked = part.get("input")
    if part.get("format") == "password" or part.get("writeOnly") is True:
        return True
    if isinstance(asked, dict) and asked.get("type") == "password":
        return True
    return any(map(_marked, part.values()))
