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

TRACE_HEADERS = ("traceparent", "tracestate")
"""The header lines that say of which trace a request is a part."""

BODILESS = frozenset({204, 205, 304})
"""The statuses of answers that have no body."""

_REDIRECTS = range(300, 400)
_MOST_TYPE = 200  # characters of a content type
# Header lines without which an answer says the same: the platform writes them itself.
_OF_EVERY_ANSWER = frozenset(
    {"content-type", "content-length", "date", "connection", "transfer-encoding", "keep-alive"}
)
_JSON: Header = ("content-type", "application/json")

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


KeptBody = Literal["json", "text", "empty", "lost"]


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is kept of an answer beside its status: its `type`, and how its `body` is to be made of the result again.

    `lost` cannot be: it went out in parts, was no text, or says little without its other header lines. `trimmed` says
    that there were such lines.
    """

    type: str = ""
    body: KeptBody = "json"
    trimmed: bool = False


class Response(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a handler answered: every header line, and the body as it was; `streamed` where the body went before.

    One that was recorded has neither, but says what is `kept` of it.
    """

    status: int = 200
    headers: list[Header] = []
    body: bytes = b""
    streamed: bool = False
    kept: Kept | None = None

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


def kept_of(response: Response, result: bytes) -> Kept:
    """What is kept of an answer, of which `json_of` has made this result."""
    if response.kept is not None:
        return response.kept
    kind = response.header("content-type")
    trimmed = any(name.lower() not in _OF_EVERY_ANSWER for name, _ in response.headers)
    is_bare = len(kind) > _MOST_TYPE or (trimmed and response.status in _REDIRECTS)
    return Kept(type=kind[:_MOST_TYPE], body="lost" if is_bare else _body_of(response, result), trimmed=trimmed)


def _body_of(response: Response, result: bytes) -> KeptBody:
    if response.streamed or response.header("content-encoding"):
        return "lost"
    if not response.body:
        return "empty"
    if result is response.body:
        return "json"
    try:
        response.body.decode()
    except UnicodeDecodeError:
        return "lost"
    return "text"


def restored(response: Response, result: bytes) -> Response:
    """A recorded answer as it is given again, with the body that is in its result, JSON."""
    status, kept = response.status, response.kept
    if status in BODILESS and (kept is None or kept.body != "lost"):
        return Response(status=status, kept=kept)
    if kept is None:  # of a time when its status was all that was kept
        return Response(status=status, headers=[_JSON], body=result)
    body = b""
    if kept.body == "json":
        body = result
    elif kept.body == "text":
        body = msgspec.json.decode(result, type=str).encode()
    lines = [("content-type", kept.type)] if kept.type else []
    return Response(status=status, headers=lines, body=body, streamed=response.streamed, kept=kept)
