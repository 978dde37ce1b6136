"""Which function a path calls: `/v1/{app_id}/fn/{name}` or `POST /v1/{app_id}/functions/{name}/invoke`."""

import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_UNDER = b"/v1/"
_CALL, _INVOKE = 5, 6  # segments of a path, with the empty one before the first slash


class Target(NamedTuple):
    """Whom a path calls. `name` is None where what stands there can be no name; `rest` is what follows the name.

    `tests` says that it is the owner's test, which needs no trigger.
    """

    app: str
    name: str | None
    rest: str | None
    tests: bool


def target(raw_path: bytes) -> Target | None:
    """Whom a path as it was sent calls; None for a path of something else."""
    if not raw_path.startswith(_UNDER):
        return None
    match raw_path.split(b"/", _CALL):
        case [_, _, app, b"fn", name, *rest]:
            return Target(_app(app), text_of(name) or None, text_of(b"/" + rest[0]) if rest else "", tests=False)
    match raw_path.removesuffix(b"/").split(b"/", _INVOKE):
        case [_, _, app, b"functions", name, b"invoke"]:
            return Target(_app(app), text_of(name) or None, "", tests=True)
    return None


def text_of(part: bytes) -> str | None:
    """A part of a path as text; None where it is none, by a broken escape or by bytes that are no UTF-8."""
    if _BROKEN.search(part):
        return None
    try:
        return unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        return None


def _app(segment: bytes) -> str:
    return segment.decode("latin-1")
