"""The body of every error."""

import msgspec
from msgspec import UNSET, UnsetType


class Error(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every error: the same sentence under the three names that clients look for.

    `retry_after`, in seconds, is there when a rate limit was hit.
    """

    error: str
    message: str
    detail: str
    details: dict[str, list[str]] | UnsetType = UNSET
    retry_after: int | UnsetType = UNSET
