"""What a handler answers with, and what it is answered when it calls another function."""

import json
from collections.abc import Sequence
from typing import Any

from services.executor.modes.python.headers import Headers
from services.executor.modes.python.heads import check_headers, check_status, is_ours
from services.executor.modes.python.json_text import NotJsonError, json_text
from shared.domain.request import BODILESS, Header

JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"


class Response:
    """Status, headers and body, checked when it is made and not changed afterwards.

    The body is a dict or list (JSON), text, bytes, or None. Raises ValueError and TypeError.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, body: Any = None, status: int = 200, headers: Any = None) -> None:
        if type(status) is not int:
            raise TypeError("the status of a response is a whole number")
        check_status(status)
        encoded, content_type = encoded_body(body)
        if encoded and status in BODILESS:
            raise ValueError(f"a response with status {status} has no body")
        self.status = status
        self.body = encoded
        self.headers = Headers(lines_of(headers, content_type))

    def __init_subclass__(cls) -> None:
        raise TypeError("Response cannot be a base class here")

    def __repr__(self) -> str:
        return f"<Response {self.status}>"

    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)


def answer_of(value: Any) -> Response:
    """What a handler returned, as a response. Raises TypeError for what is none."""
    if type(value) is Response:
        return value
    if value is None:
        return Response(status=204)
    if isinstance(value, dict | list | str | bytes | bytearray):
        return Response(value)
    raise TypeError(
        f"a handler returns a Response, a dict, a list, text, bytes or None, not {type(value).__name__[:100]}"
    )


def received(status: int, headers: Sequence[Header], body: bytes) -> Response:
    """A response that has come from elsewhere, as it is."""
    made = object.__new__(Response)
    made.status, made.headers, made.body = status, Headers(headers), body
    return made


def encoded_body(body: Any) -> tuple[bytes, str]:
    """A body as bytes, and its content type. Raises TypeError for what cannot be one, ValueError for half surrogates.

    The methods of the built-in classes are called, not those that a function's own class may have in their place.
    """
    if body is None:
        return b"", ""
    if isinstance(body, str):
        return str.encode(body, "utf-8"), _TEXT
    if isinstance(body, bytes | bytearray):
        return body if type(body) is bytes else bytes(memoryview(body)), _BYTES
    if not isinstance(body, dict | list):
        raise TypeError(f"a body is a dict, a list, text, bytes or None, not {type(body).__name__[:100]}")
    try:
        return json_text(body), JSON
    except NotJsonError as error:
        raise TypeError(f"the body is not JSON serializable: {error}") from None


def lines_of(headers: Any, content_type: str) -> list[Header]:
    """Header lines of a dict or of pairs, with a content type unless they have one. Raises ValueError, TypeError."""
    pairs = [] if headers is None else list(headers.items() if isinstance(headers, dict | Headers) else headers)
    lines: list[Header] = []
    for pair in pairs:
        name, value = pair
        if type(name) is not str or type(value) is not str:
            raise TypeError("the names and values of headers are strings")
        if not is_ours(name):
            lines.append((name, value))
    if content_type and not any(name.lower() == "content-type" for name, _ in lines):
        lines.append(("content-type", content_type))
    check_headers(lines)
    return lines
