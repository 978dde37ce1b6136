"""The secret header lines of a request, sealed while it travels."""

import msgspec

from shared.domain.request import Header, Request, place_of
from shared.secrets import Keyring


def sealed(request: Request, secret: list[Header], keyring: Keyring, task_id: str) -> Request:
    """The request as it travels, with these header lines sealed. Raises Problem(unavailable)."""
    if not secret:
        return request
    text = keyring.seal(msgspec.json.encode(secret), place=place_of(task_id))
    return msgspec.structs.replace(request, sealed=text)


def opened(request: Request, keyring: Keyring, task_id: str) -> Request:
    """The request with the header lines that travelled sealed. Raises SealBrokenError."""
    if not request.sealed:
        return request
    secret = msgspec.json.decode(keyring.unseal(request.sealed, place=place_of(task_id)), type=list[Header])
    return msgspec.structs.replace(request, headers=[*request.headers, *secret], sealed="")


def resealed(request: Request, keyring: Keyring, task_id: str, *, anew: str) -> Request:
    """The request of one task as that of another one, `anew`. Raises SealBrokenError, Problem(unavailable)."""
    if not request.sealed:
        return request
    secret = keyring.unseal(request.sealed, place=place_of(task_id))
    return msgspec.structs.replace(request, sealed=keyring.seal(secret, place=place_of(anew)))
