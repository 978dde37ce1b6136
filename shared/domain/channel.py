"""Channels of an app: what one may be called, who may listen, what may be pushed. Pure."""

import msgspec

from shared.domain.problem import Problem, wrong

MAX_NAME = 200
MAX_EVENT = 100
"""Characters."""
MOST_PUBLISHED = 64 << 10
"""Bytes of one message's payload, where the operator does not say less; the runtimes know this bound, too."""
PRIVATE = "user:"
"""What the name of a channel begins with that is for one end user: the user's id follows."""
_NOT_JSON = "payload must be JSON, and UTF-8"


def check_name(channel: str) -> None:
    """Raises Problem(invalid) for what cannot be the name of a channel."""
    if not 0 < len(channel) <= MAX_NAME or not channel.isprintable():
        raise wrong("channel", f"channel must be 1 to {MAX_NAME} printable characters")


def check_event(event: str) -> None:
    """Raises Problem(invalid) for what cannot name an event; the empty text is none."""
    if len(event) > MAX_EVENT or not event.isprintable():
        raise wrong("event", f"event must be up to {MAX_EVENT} printable characters")


def may_listen(channel: str, *, user_id: str) -> bool:
    """Whether the end user with this id may, empty for one without; who has a token of the platform always may."""
    return not channel.startswith(PRIVATE) or (user_id != "" and channel == PRIVATE + user_id)


def payload_of(text: bytes, *, most_bytes: int) -> msgspec.Raw:
    """JSON text on one line, as it is pushed. Raises Problem(invalid, too_large)."""
    try:
        text.decode()
        line = msgspec.json.format(text, indent=-1)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise wrong("payload", _NOT_JSON) from None
    if len(line) > most_bytes:
        raise Problem("too_large", f"The payload has {len(line)} bytes, over the limit of {most_bytes} bytes")
    return msgspec.Raw(line)
