"""What is sent to a worker: requests in HTTP/1.1, each with a line of control beside those of the caller. Pure."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from services.executor.ctx import facts_of
from services.executor.mode import Call
from shared.domain.request import Header, Request

MARK = "x-shoal"

# Written by this side, or of no meaning to a handler.
_OURS = frozenset(
    "connection content-length expect keep-alive proxy-connection te trailer transfer-encoding upgrade".split()  # noqa: SIM905 - a list of words
) | {MARK}
# Of an answer: what the transport has put in, and `date`, which every answer has without it.
_TRANSPORTS = frozenset(("connection", "content-length", "date", "keep-alive", "transfer-encoding", "upgrade", MARK))
# Methods that go as they are; any other one is told beside a request that may have no body.
_PLAIN = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE"))
# Deno's server refuses a request with a larger head: then it goes before the body.
_MOST_LINES = 100
HEAD_BYTES = 32 << 10
_BODILESS = frozenset(("GET", "HEAD"))
_NOBODYS = {"id": "", "lines": 10, "output": 1000}
_INTERNAL = "http://function.internal/"
_SPELLED = {"key_id": "keyId", "user_id": "userId", "function_name": "functionName"}
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def call_of(call: Call, request: Request) -> bytes:
    """A call. Raises ValueError for a request that cannot be one over HTTP."""
    if not _NAME.fullmatch(request.method):
        raise ValueError("the method of a request is a word")
    url = request.url or _INTERNAL
    if request.query:
        url = f"{url}?{request.query}"
    head: dict[str, Any] = {**_bounds(call), "url": url, "ctx": _context(call, request)}
    if request.method not in _PLAIN:
        head["method"] = request.method
    body = b"" if request.method in _BODILESS else request.body
    if len(request.headers) > _MOST_LINES or len(url) + size_of(request.headers) > HEAD_BYTES:
        told = {**head, "method": None, "verb": request.method, "headers": checked(request.headers)}
        control = json.dumps(told).encode()
        return _request("POST", {"op": "large", "bytes": len(control)}, [], control + body)
    method = "GET" if request.method in _BODILESS else request.method if request.method in _PLAIN else "POST"
    return _request(method, head, request.headers, body)


def init_of(environment: Mapping[str, str], *, main: str, call: Call | None = None) -> bytes:
    """The first request: the function's environment, and where its code is. `call` is the one that waits for it."""
    head = {"op": "init", "main": main, **(_bounds(call) if call else _NOBODYS)}
    return _request("POST", head, [], json.dumps(dict(environment)).encode())


def warmup() -> bytes:
    """Nobody's call."""
    return _request("GET", {"url": _INTERNAL, "ctx": {}, **_NOBODYS}, [], b"")


def reply_of(ask: int, *, status: int = 200, headers: Sequence[Header] = (), body: bytes = b"") -> bytes:
    """What the platform says to something that the function asked."""
    return _request("POST", {"op": "reply", "id": ask, "status": status, "headers": list(headers)}, [], body)


def refusal_of(ask: int, name: str, message: str) -> bytes:
    """That the platform will not do what the function asked."""
    return _request("POST", {"op": "reply", "id": ask, "error": {"name": name, "message": message}}, [], b"")


def wait_of() -> bytes:
    """Asks for an answer when all that the call has given to waitUntil has settled."""
    return _request("POST", {"op": "wait"}, [], b"")


def told(headers: Sequence[Header]) -> list[Header]:
    """The lines of an answer that are the handler's."""
    return [line for line in headers if line[0] not in _TRANSPORTS]


def size_of(headers: Sequence[Header]) -> int:
    """Of all lines together."""
    return sum(len(name) + len(value) for name, value in headers)


def checked(headers: Sequence[Header]) -> list[Header]:
    """Header lines as they may be sent. Raises ValueError."""
    for name, value in headers:
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"the header {name[:100]!r} has characters that a header cannot have")
    return [line for line in headers if line[0].lower() not in _OURS]


def _request(method: str, head: Mapping[str, Any], headers: Sequence[Header], body: bytes) -> bytes:
    control = _ascii(head)
    lines = [f"{method} / HTTP/1.1", f"{MARK}: {control}"]
    names = {name.lower() for name, _ in headers}
    if "host" not in names:
        lines.append("host: function.internal")
    lines += [f"{name}: {value}" for name, value in checked(headers)]
    if body or method != "GET":
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def _ascii(head: Mapping[str, Any]) -> str:
    """JSON as a header has to be. The quick encoder knows only UTF-8, which is mostly the same."""
    quick = msgspec.json.encode(head)
    return quick.decode("ascii") if quick.isascii() else json.dumps(head, separators=(",", ":"))


def _bounds(call: Call) -> dict[str, Any]:
    return {"id": call.task_id, "lines": call.limits.log_lines, "output": call.limits.output_bytes}


def _context(call: Call, request: Request) -> dict[str, Any]:
    """What of a handler's ctx is known when the call starts."""
    facts = facts_of(call, request)
    return {**facts, "caller": _spelled(facts["caller"]), "request": _spelled(facts["request"])}


def _spelled(facts: Mapping[str, Any]) -> dict[str, Any]:
    """With names as they are spelled in JavaScript."""
    return {_SPELLED.get(name, name): value for name, value in facts.items()}
