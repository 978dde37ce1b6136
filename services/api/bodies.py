"""From bytes to bodies, for every dialect: whatever is wrong with them is said with its place or its name."""

from functools import cache
from typing import Any, TypeVar

import msgspec

from shared.domain.problem import Problem

Body = TypeVar("Body")


def body_of(kind: Any, body: bytes) -> Any:
    """A body of this type, to the letter: `"1"` is no number, and 1 is not true. Raises Problem(invalid)."""
    return decoded(_decoder(kind), body or b"null")


def decoded(decoder: msgspec.json.Decoder[Body], body: bytes) -> Body:
    """A body as this decoder reads it. Raises Problem(invalid)."""
    try:
        if not body.isascii():
            body.decode()  # what stays JSON text is not looked into by the decoder
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        fault, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`")
        raise invalid(field, fault) from None
    except msgspec.DecodeError as error:
        raise Problem("invalid", _malformed(str(error), len(body))) from None
    except UnicodeDecodeError as error:
        raise Problem("invalid", f"The body is not UTF-8: byte {error.start}") from None
    except RecursionError:
        raise Problem("invalid", "The body is nested too deeply") from None


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def _malformed(fault: str, length: int) -> str:
    if fault.startswith("JSON is malformed"):
        return fault
    # The decoder says "truncated" in two cases, and no position in either.
    return f"JSON is malformed: it is cut short, or has half a surrogate pair ({length} bytes)"


def invalid(field: str, fault: str) -> Problem:
    """A wrong input, named. Without a `field` it is the body as a whole."""
    if fault.startswith("Object missing required field"):
        field, fault = fault.split("`")[1], "This field is required"
    sentence = f"{field}: {fault}" if field else f"The body is wrong: {fault}"
    return Problem("invalid", sentence, {field: fault} if field else {})
