"""A request to a function over HTTP, who makes it, and what its handler answers.

What comes in by another door (a schedule, another function) is such a request to a handler, too.
"""

from typing import Any, Literal

import msgspec

Header = tuple[str, str]
"""A header line as it came: name and value, latin-1 text."""

ActorKind = Literal["service_key", "end_user_jwt", "loopback", "anonymous"]

# Header lines whose values are secret: on the bus they travel sealed, and they are never recorded.
SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key", "x-session-token"})

BODILESS = frozenset({204, 205, 304})
"""The statuses of answers that have no body."""

MAX_PATH = 2048
"""How much of a path is kept of a request that is over, characters."""


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a handler is asked. `url` is the public one, `path` what the caller asked for, with its query in neither.

    `headers` have every line in the order in which they came, hop-by-hop ones left out; `sealed` holds those that are
    secret, as JSON `[[name, value], …]`, sealed for `place_of(task_id)`. `ip` is the caller's address.
    """

    method: str = "POST"
    url: str = ""
    path: str = "/"
    query: str = ""
    headers: list[Header] = []
    sealed: str = ""
    body: bytes = b""
    ip: str = ""


class Actor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who makes a request, as far as is verified. `user_id` is empty where no user is known.

    `key_id` names a service token, `claims` are those of an end user's JWT.
    """

    kind: ActorKind = "anonymous"
    user_id: str = ""
    key_id: str = ""
    claims: dict[str, Any] = {}


class Response(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a handler answered: every header line, and the body as it was; `streamed` where the body went before."""

    status: int = 200
    headers: list[Header] = []
    body: bytes = b""
    streamed: bool = False

    def header(self, name: str) -> str:
        """The first value of a header, small letters, or the empty string."""
        return next((value for key, value in self.headers if key.lower() == name), "")


def place_of(task_id: str) -> str:
    """Where the secret headers of a request are sealed."""
    return f"request/{task_id}"


def params_of(request: Request) -> bytes:
    """What a function is given that is no handler: the body where that is a JSON object, else an empty one."""
    try:
        msgspec.json.decode(request.body, type=dict[str, msgspec.Raw])
        request.body.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b"{}"
    return request.body


def json_of(response: Response) -> bytes:
    """The answer as a JSON value: its body where that is JSON, else its text; null for none.

    Bytes that are no UTF-8 are replaced: who wants them asks for the answer itself.
    """
    if not response.body:
        return b"null"
    if "json" in response.header("content-type"):
        try:
            msgspec.json.decode(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        else:
            return response.body
    return msgspec.json.encode(response.body.decode("utf-8", "replace"))
