"""What a handler asks of another function: checked, because the handler may say anything. Pure."""

import hashlib
import re

import msgspec

from shared.domain import idempotency
from shared.domain.headers import HEADER_NAME
from shared.domain.problem import Problem
from shared.domain.request import SECRET_HEADERS, Header, Request

_METHOD = re.compile(r"[A-Za-z]{1,20}")
_PATH = re.compile(r"/[!-~]{0,4000}")
_QUERY = re.compile(r"[!-~]{0,8000}")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,8000}")
_MOST_HEADERS = 100
_HEADER_BYTES = 32 << 10
_INTERNAL = "http://function.internal"
# What belongs to one connection or to one message as it is sent, and what only the platform says.
_NOT_PASSED_ON = frozenset(
    ("connection", "content-length", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade")
) | frozenset(("expect", "x-user-id", "x-app-id", "x-trigger-type"))


class AskedWronglyError(Exception):
    """It cannot be asked like this; the text says why."""


def checked(request: Request, *, ip: str, most_bytes: int) -> tuple[Request, list[Header]]:
    """The request as it may travel, and beside it the header lines that are secret. Raises AskedWronglyError."""
    if not _METHOD.fullmatch(request.method):
        raise AskedWronglyError("the method must be a word")
    if not _PATH.fullmatch(request.path) or "#" in request.path or "?" in request.path:
        raise AskedWronglyError("the path must begin with / and be percent-encoded")
    if not _QUERY.fullmatch(request.query) or "#" in request.query:
        raise AskedWronglyError("the query must be percent-encoded")
    if len(request.body) > most_bytes:
        raise AskedWronglyError(f"the body has {len(request.body)} bytes; the limit is {most_bytes}")
    plain, secret = _headers(request.headers)
    asked = Request(
        method=request.method.upper(),
        url=f"{_INTERNAL}{request.path}",
        path=request.path,
        query=request.query,
        headers=plain,
        body=request.body,
        ip=ip,
    )
    return asked, secret


def print_of(name: str, request: Request, secret: list[Header]) -> str:
    """What makes two questions the same one."""
    asked = msgspec.json.encode((name, request, secret))
    return hashlib.sha256(asked).hexdigest()


def key_of(request: Request) -> str:
    """The idempotency key among the header lines, empty where there is none. Raises AskedWronglyError."""
    try:
        return idempotency.checked([value for name, value in request.headers if name.lower() == idempotency.HEADER])
    except Problem as problem:
        raise AskedWronglyError(problem.message) from None


def _headers(lines: list[Header]) -> tuple[list[Header], list[Header]]:
    if len(lines) > _MOST_HEADERS or sum(len(name) + len(value) for name, value in lines) > _HEADER_BYTES:
        raise AskedWronglyError(f"there may be {_MOST_HEADERS} header lines, of {_HEADER_BYTES} bytes together")
    plain: list[Header] = []
    secret: list[Header] = []
    for name, value in lines:
        if not HEADER_NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise AskedWronglyError(f"{name[:100]!r} is not a header, or its value is not one line of text")
        small = name.lower()
        if small in _NOT_PASSED_ON or (small.startswith("proxy-") and small not in SECRET_HEADERS):
            continue
        (secret if small in SECRET_HEADERS else plain).append((name, value))
    return plain, secret
