"""What is read of an event in its teller's words: each within its bound, and no other fault than Malformed."""

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from services.triggers.kinds.s3.event import ObjectEvent

MAX_RECORDS = 1000
MAX_KEY, _MAX_BUCKET = 4096, 255  # S3 itself knows 1,024 and 63
_MAX_TEXT, _MAX_METADATA = 1024, 100
_MAX_SIZE = 1 << 62
_NUMBER = re.compile(r"[0-9]{1,19}")
_MAX_DEPTH = 64

Fields = dict[str, Any]


class Malformed(ValueError):  # noqa: N818 - it is the event's, and the name says it
    """What was told cannot be understood, for the reason that its text says; `uploads` are what could be beside it."""

    uploads: Sequence[ObjectEvent] = ()


def part(of: Fields, name: str) -> Fields:
    """A part that must be there."""
    found = of.get(name)
    if not isinstance(found, dict):
        raise Malformed(f"{name} is missing or no object")
    return found


def maybe(of: Fields, name: str) -> Fields:
    """A part that may be there."""
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def text(of: Fields, *names: str, most: int = _MAX_TEXT) -> str:
    """The first of these that is a text; empty where there is none, or one too long to be it."""
    found = next((of[name] for name in names if isinstance(of.get(name), str)), "")
    return found if len(found) <= most and is_whole(found) else ""


def key(of: Fields, name: str = "key") -> str:
    """The key of an object, which must be there."""
    found = of.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= MAX_KEY or not is_whole(found):
        raise Malformed(f"{name} is missing, or no text of 1 to {MAX_KEY} characters")
    return found


def bucket(of: Fields, name: str = "name") -> str:
    """The name of a bucket, which must be there."""
    found = of.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= _MAX_BUCKET or not is_whole(found):
        raise Malformed(f"the bucket's {name} is missing, or no text of 1 to {_MAX_BUCKET} characters")
    return found


def size(of: Fields, name: str = "size") -> int:
    """A number of bytes, which some tell as a text; -1 where there is none."""
    found = of.get(name)
    if isinstance(found, str) and _NUMBER.fullmatch(found):
        found = int(found)
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found <= _MAX_SIZE:
        return found
    return -1


def etag(of: Fields, *names: str) -> str:
    """The tag without quotes."""
    return text(of, *(names or ("eTag", "etag", "ETag"))).strip('"')


def version(of: Fields, *names: str) -> str:
    """The version of an object; `null` is the word for none."""
    found = text(of, *names)
    return "" if found == "null" else found


def moment(of: Fields, name: str) -> str:
    """A time as ISO 8601 in UTC, to the millisecond where that is known; empty where it is none."""
    found = text(of, name, most=40)
    try:
        read = datetime.fromisoformat(found).astimezone(UTC) if "T" in found else None
    except (ValueError, OverflowError):
        return ""
    return "" if read is None else stamp(read)


def stamp(at: datetime) -> str:
    """As every event has it."""
    return at.isoformat(timespec="milliseconds" if at.microsecond else "seconds").replace("+00:00", "Z")


def stamp_of(seconds: float) -> str:
    """The same, of Unix seconds; empty where they are no time."""
    try:
        return stamp(datetime.fromtimestamp(seconds, UTC))
    except (ValueError, OverflowError, OSError):
        return ""


def metadata(of: Fields, *, prefix: str) -> dict[str, str]:
    """The uploader's own words, of those that begin with `prefix` in any case."""
    found = {
        name.lower().removeprefix(prefix): value
        for name, value in of.items()
        if name.lower().startswith(prefix) and isinstance(value, str) and len(value) <= _MAX_TEXT and is_whole(value)
    }
    return found if len(found) <= _MAX_METADATA else {}


def decoded(value: object) -> str:
    """A text that is told as base64; empty where it is none."""
    if not isinstance(value, str) or len(value) > 2 * _MAX_TEXT:
        return ""
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def hexed(value: object) -> str:
    """The hex digits of bytes that are told as base64; empty where they are none."""
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        return ""
    try:
        return base64.b64decode(value, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""


def is_whole(found: str) -> bool:
    """Whether it can be sent on as UTF-8."""
    try:
        found.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_deep(value: Fields) -> bool:
    """Whether it is nested deeper than anybody who tells of an upload has reason to."""
    level: list[Any] = [value]
    for _ in range(_MAX_DEPTH):
        inside = (one.values() if isinstance(one, dict) else one for one in level)
        level = [part for parts in inside for part in parts if isinstance(part, dict | list)]
        if not level:
            return False
    return True
