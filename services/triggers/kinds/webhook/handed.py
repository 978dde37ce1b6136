"""What a function gets of a webhook: the request as it came, but for what is secret between sender and platform."""

from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from shared import request_head as heads
from shared.callers.edge import Edge, has_ours_within
from shared.domain.request import Header, Request
from shared.exchange import Scope

PROVIDER = "x-webhook-provider"
SIGNATURE = "sig"
"""The parameter that signs the URL of a function which takes unsigned webhooks."""
_SIGNATURE = SIGNATURE.encode()
_NO_HOST = "localhost"  # where a sender speaks HTTP/1.0, or says nothing in its Host
# Theirs is the platform's word, and a token that is the secret itself is nobody's but the verifier's.
_NEVER = frozenset({PROVIDER, "x-gitlab-token"})


class Handed(NamedTuple):
    """A request for a handler, and the header lines of it that must not travel openly."""

    request: Request
    secret: list[Header]


class Query(NamedTuple):
    """The query without what signs the URL, and that: the last one, where there are several."""

    rest: bytes
    signature: str


def query_of(scope: Scope) -> Query:
    """The query of a request in two. What is left of it is as it came, but for tokens of the platform."""
    rest, signature = [], b""
    for part in scope["query_string"].split(b"&"):
        name, _, value = part.partition(b"=")
        if unquote_to_bytes(name) == _SIGNATURE:
            signature = unquote_to_bytes(value)
        elif not has_ours_within(unquote_to_bytes(part).decode("latin-1")):
            rest.append(part)
    return Query(b"&".join(rest), signature.decode("latin-1"))


def url_of(scope: Scope, host: str, *, public_url: str) -> str:
    """Where the world reached us, without the query."""
    path = scope["raw_path"].decode("latin-1")
    return public_url.rstrip("/") + path if public_url else f"{scope['scheme']}://{host or _NO_HOST}{path}"


async def handed(scope: Scope, body: bytes, *, url: str, host: str, source: str, edge: Edge) -> Handed:
    """What the handler is asked. `source` is empty where nothing was signed. Raises Problem(unavailable)."""
    without = await _hidden(scope, edge)
    head = heads.head({**scope, "query_string": query_of(scope).rest}, host, without=without)
    request = Request(
        method="POST",
        url=url,
        path=head.path,
        query=head.query,
        headers=[*head.headers, (PROVIDER, source or "none")],
        body=body,
        ip=head.ip,
    )
    return Handed(request, head.secret)


async def _hidden(scope: Scope, edge: Edge) -> set[Header]:
    """The lines that are not for a function's eyes: among them whatever is a credential of the platform."""
    hidden: set[Header] = set()
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name in _NEVER or has_ours_within(value) or await _is_ours(name, value, edge):
            hidden.add((name, value))
    return hidden


async def _is_ours(name: str, value: str, edge: Edge) -> bool:
    token = heads.token_of(name, value) if name in heads.CREDENTIALS else ""
    return bool(token) and await edge.is_platforms(token)
