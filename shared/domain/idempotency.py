"""Idempotency keys: what may be one, whose it is, and what it was sent with. Pure."""

import hashlib
import re
from collections.abc import Sequence

import msgspec

from shared.domain.caller import User
from shared.domain.function import SYSTEM_ID, Function
from shared.domain.problem import Problem
from shared.domain.request import Actor, Header, Request

HEADER = "idempotency-key"
REPLAYED = "idempotent-replayed"
MISSING = "idempotent-missing"
"""Names what an answer that is given again had the first time, and was not kept."""

ANYBODY = "anonymous"
FIELD = "Idempotency-Key"
_KEY = re.compile(r"[!-~]{1,255}")
_FORM = "has 1 to 255 visible ASCII characters, and no spaces"
_DIGEST_DIGITS = 40


class KeyReusedError(Problem):
    """The key was sent before, with another request: Problem(conflict)."""

    def __init__(self) -> None:
        message = "This idempotency key was used for another request; send a new key with a new request"
        super().__init__("conflict", message, {FIELD: message})


class Key(msgspec.Struct, frozen=True):
    """A key as it was sent. `caller` is who sent it: two callers' keys never meet; `fingerprint` is of the request."""

    text: str
    caller: str
    fingerprint: str


def checked(values: Sequence[str], *, field: str = FIELD) -> str:
    """The key among the values of its header, empty where there is none. Raises Problem(invalid)."""
    if not values:
        return ""
    fault = f"{field} may be sent once" if len(values) > 1 else ""
    if not fault and not _KEY.fullmatch(values[0]):
        fault = f"{field} {_FORM}"
    if fault:
        raise Problem("invalid", fault, {field: fault})
    return values[0]


def of_user(user: User) -> str:
    """Who sends a key: a user of the platform, by whichever token or login."""
    return f"user/{user.id}"


def of_function(function_id: int) -> str:
    """Who sends a key: a function that calls another one."""
    return f"function/{function_id}"


def of_asker(user: User | None, actor: Actor) -> str:
    """Who sends a key over HTTP: a user of the platform, an end user of the app, or nobody known.

    All whom nobody knows are one.
    """
    if user is not None:
        return of_user(user)
    return f"end_user/{actor.user_id}" if actor.user_id else ANYBODY


def print_of_params(params: bytes, *beside: str | float) -> str:
    """The fingerprint of a call with params, and with what else was asked for beside them: equal for equal bytes."""
    return _sha256(b"params\n" + msgspec.json.encode(beside) + b"\n" + params)


def print_of_request(request: Request, secret: Sequence[Header] = ()) -> str:
    """The fingerprint of a request: its method, path, query and body, not its header lines.

    Where nobody knows who sends it, a function may, by a cookie or a token of its own: these `secret` lines count, or
    one visitor might be told what another one was answered.
    """
    asked = msgspec.json.encode((request.method, request.path, request.query, list(secret)))
    return _sha256(b"request\n" + asked + b"\n" + request.body)


def digest_of(function: Function, key: Key) -> str:
    """What a key is known by among those of its function; all system functions have one id."""
    slug = function.slug if function.id == SYSTEM_ID else ""
    return _sha256(msgspec.json.encode((slug, key.caller, key.text)))[:_DIGEST_DIGITS]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
