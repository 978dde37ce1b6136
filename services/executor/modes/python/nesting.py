"""How deep JSON may be nested: whoever decodes it does so further down his own stack, and inside of other values."""

import msgspec

# Of the thousand levels an interpreter has. A worker spares more than the executor asks for, so that what the one lets
# through the other does not take for an attack.
WORKERS_SPARE = 400
EXECUTORS_SPARE = 200
_SURELY_SHALLOW = 200

_any_json = msgspec.json.Decoder(msgspec.Raw)


def body_too_deep(body: bytes, content_type: str, *, spare: int) -> bool:
    """Whether the body of a response is JSON, which is recorded as it is, and leaves too few levels."""
    if "json" not in content_type:
        return False
    try:
        return too_deep(body, spare=spare)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False  # it only says that it is JSON, and is recorded as a text


def too_deep(text: bytes, *, spare: int) -> bool:
    """Whether this JSON leaves fewer than `spare` levels to those who read it."""
    # At the speed of memory; nearly all of it ends here.
    if len(text) <= _SURELY_SHALLOW or text.count(b"[") + text.count(b"{") <= _SURELY_SHALLOW:
        return False
    try:
        _any_json.decode(b"[" * spare + text + b"]" * spare)
    except RecursionError:
        return True
    return False
