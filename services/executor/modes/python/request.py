"""What a handler is asked, as it sees it."""

import json
from typing import Any
from urllib.parse import parse_qs

from services.executor.modes.python.frames import RequestFrame
from services.executor.modes.python.headers import Headers

_MOST_FIELDS = 1000


class Request:
    """Method, address, headers and body of a request; what has to be parsed is parsed when it is asked for."""

    __slots__ = ("_query", "body", "headers", "method", "path", "url")

    def __init__(self, frame: RequestFrame) -> None:
        self.method = frame.method
        self.url = f"{frame.url}?{frame.query}" if frame.query else frame.url
        self.path = frame.path
        self.headers = Headers(frame.headers)
        self.body = frame.body
        self._query = frame.query

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.path}>"

    @property
    def query(self) -> dict[str, str]:
        """The last value of every name in the query."""
        return {name: values[-1] for name, values in self.query_all.items()}

    @property
    def query_all(self) -> dict[str, list[str]]:
        """All values of every name in the query. Raises ValueError for more than a thousand."""
        return parse_qs(self._query, keep_blank_values=True, max_num_fields=_MOST_FIELDS)

    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON. Raises ValueError."""
        return json.loads(self.body)
