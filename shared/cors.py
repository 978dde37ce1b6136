"""Which pages of other origins may call an app's functions, by the app's `allowed_origins`. Pure.

A named origin may send credentials, `*` stands for every origin and for none that does.
"""

import re
from collections.abc import Iterable, Sequence

from shared.domain.app import App
from shared.exchange import Line

ANY = "*"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_EXPOSED = (
    b"x-invocation-id, idempotent-replayed, idempotent-missing, retry-after, "
    b"x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"
)
_MAX_AGE_S = b"600"
_MOST_WANTED = 4000  # bytes of names of headers
_WANTED = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z, ]*")
_CONTROL = b"access-control-"
_USUAL = b"authorization, content-type"


def lines(app: App, origin: str) -> list[Line]:
    """What an answer to a page of this origin says; nothing to who names none."""
    if not origin:
        return []
    if origin in app.allowed_origins and origin != ANY:
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", _EXPOSED),
            _VARY,
        ]
    if ANY in app.allowed_origins:
        allowed = [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", _EXPOSED)]
        return allowed if len(app.allowed_origins) == 1 else [*allowed, _VARY]
    return [_VARY]


_VARY: Line = (b"vary", b"Origin")


def preflight(app: App, origin: str, *, wanted: bytes, methods: Sequence[str]) -> list[Line]:
    """What the answer to a browser's question says, whether it may send a request with the headers it wants to."""
    told = [line for line in lines(app, origin) if line[0] != b"access-control-expose-headers"]
    if not any(name == b"access-control-allow-origin" for name, _ in told):
        return told
    fit = len(wanted) <= _MOST_WANTED and _WANTED.fullmatch(wanted)
    return [
        *told,
        (b"access-control-allow-methods", ", ".join(methods or METHODS).encode()),
        (b"access-control-allow-headers", wanted if wanted and fit else _USUAL),
        (b"access-control-max-age", _MAX_AGE_S),
    ]


def beside(own: Iterable[Line], ours: Sequence[Line]) -> list[Line]:
    """Those of ours that an answer with lines of its own is given: a handler that says it itself is left alone."""
    said = {name: value for name, value in own if name == b"vary" or name.startswith(_CONTROL)}
    if b"access-control-allow-origin" in said:
        return [line for line in ours if line[0] != b"vary" and not line[0].startswith(_CONTROL)]
    vary = said.get(b"vary", b"").lower()
    if b"origin" in vary or b"*" in vary:
        ours = [line for line in ours if line != _VARY]
    return [line for line in ours if line[0] == b"vary" or line[0] not in said]
