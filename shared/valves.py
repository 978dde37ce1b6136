"""Valves, as they are kept and as they travel: JSON text of an object, or that sealed, which never begins with `{`."""

from shared.domain.problem import Problem
from shared.secrets import Keyring, SealBrokenError

_OPEN = "{"


def kept(values: bytes, keyring: Keyring, *, place: str, secret: bool) -> str:
    """JSON text of an object in the form to keep: sealed wherever there is a key.

    Raises Problem(unavailable) without a key for those that have a `secret` among them.
    """
    if keyring or secret:
        return keyring.seal(values, place=place)
    return values.decode()


def is_sealed(text: str) -> bool:
    """Whether what is kept needs a key to be read."""
    return bool(text) and not text.startswith(_OPEN)


def opened(text: str, keyring: Keyring, *, place: str) -> bytes:
    """The JSON text of what is kept; of nothing, an empty object. Raises SealBrokenError."""
    if not text:
        return b"{}"
    return text.encode() if text.startswith(_OPEN) else keyring.unseal(text, place=place)


def read(text: str, keyring: Keyring, *, place: str) -> bytes:
    """`opened`, for somebody who asks over HTTP. Raises Problem(unavailable) where no key at hand opens it."""
    try:
        return opened(text, keyring, place=place)
    except SealBrokenError as error:
        raise Problem("unavailable", f"The valves cannot be opened with the operator's key: {error}") from error
