"""The head of a request, as a function's handler is to see it.

Hop-by-hop lines end here, and what is said of where the request came from is the platform's own word.
"""

import re
from collections.abc import Container, Iterable
from typing import Any, NamedTuple

from shared.domain.problem import Problem
from shared.domain.request import SECRET_HEADERS, Header
from shared.exchange import Line, Scope

HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_DROPPED = HOP_BY_HOP | {"expect", "forwarded", "x-real-ip"}
_OURS = "x-forwarded-"
_KEPT = frozenset({"host", "content-length", "content-type"})  # whatever Connection says of them
CREDENTIALS = frozenset({"authorization", "x-session-token", "x-api-key"})
_SCHEMES = frozenset({"bearer", "api-key"})
_HOST = re.compile(r"[A-Za-z0-9._\-]{1,253}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")


class Sent(NamedTuple):
    """What a request says of who sends it and whom it asks. `origin` is that of a page in a browser."""

    token: str = ""
    host: str = ""
    origin: str = ""
    preflight: bytes = b""
    wanted: bytes = b""


class Head(NamedTuple):
    """What a handler is told of a request, but for its body; `secret` are the lines that must not travel openly."""

    url: str
    path: str
    query: str
    headers: list[Header]
    secret: list[Header]
    ip: str


def sent(headers: Iterable[Line]) -> Sent:
    """Raises Problem(invalid) where there is more than one host or more than one Authorization."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in _SINGLE and name in found:
            raise Problem("invalid", f"More than one {name.decode().title()} header was sent")
        found[name] = value
    host = found.get(b"host", b"").decode("latin-1")
    if host and not _HOST.fullmatch(host):
        raise Problem("invalid", "The Host header is not the name of a host")
    credential = found.get(b"authorization")
    token = found.get(b"x-session-token", b"") if credential is None else credential
    return Sent(
        token=token_of("x-session-token" if credential is None else "authorization", token.decode("latin-1")),
        host=host,
        origin=found.get(b"origin", b"").decode("latin-1"),
        preflight=found.get(b"access-control-request-method", b""),
        wanted=found.get(b"access-control-request-headers", b""),
    )


_SINGLE = frozenset({b"host", b"authorization", b"x-session-token", b"origin"})


def token_of(name: str, value: str) -> str:
    """The token in a header line; empty where it has none of a kind that the platform knows."""
    if name != "authorization":
        return value.strip()
    scheme, _, token = value.partition(" ")
    return token.strip() if scheme.lower() in _SCHEMES else ""


def head(scope: Scope, host: str, *, without: Container[Header] = ()) -> Head:
    """The head without these lines, which are the platform's secrets."""
    lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    dropped = _DROPPED | (named_in(lines) - _KEPT)
    headers: list[Header] = []
    secret: list[Header] = []
    for line in lines:
        name = line[0]
        if name in dropped or name.startswith(_OURS) or line in without:
            continue
        (secret if name in SECRET_HEADERS else headers).append(line)
    client = scope.get("client")
    ip = client[0] if client else ""
    host = host or _server(scope)
    path = scope["raw_path"].decode("latin-1")
    headers += [("x-forwarded-for", ip), ("x-forwarded-host", host), ("x-forwarded-proto", scope["scheme"])]
    query = scope["query_string"].decode("latin-1")
    return Head(f"{scope['scheme']}://{host}{path}", path, query, headers, secret, ip)


def named_in(lines: Iterable[Header]) -> frozenset[str]:
    """The headers that Connection says are for this hop only."""
    said = (value for name, value in lines if name.lower() == "connection")
    return frozenset(word.strip().lower() for value in said for word in value.split(","))


def _server(scope: dict[str, Any]) -> str:
    server = scope.get("server") or ("localhost", None)
    return f"{server[0]}:{server[1]}" if server[1] else str(server[0])
