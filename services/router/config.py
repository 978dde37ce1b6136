"""The router's settings."""

from typing import Annotated

import msgspec
from msgspec import Meta


class Router(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`in_hand` bounds the commands being decided at once."""

    in_hand: Annotated[int, Meta(gt=0, le=5000)] = 256
