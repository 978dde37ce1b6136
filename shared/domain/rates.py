"""How many requests a minute are let in, by what they ask for and by who is counted."""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

Class = Literal["authentication", "execution", "other"]
Limit = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]

WINDOW_S = 60


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Requests a minute, 0 for no limit. The first three are one token's, or one address's where there is no token.

    Those of a whole tenant are the sums over its tokens. Logins have none: whoever spent it would lock out everybody.
    """

    authentication: Limit = 10
    execution: Limit = 100
    other: Limit = 1000
    tenant_execution: Limit = 1000
    tenant_other: Limit = 10_000

    def each(self, asked: Class) -> int:
        """The limit of one token or address."""
        limit: int = getattr(self, asked)
        return limit

    def tenant(self, asked: Class) -> int:
        """The limit of a tenant as a whole."""
        limit: int = getattr(self, f"tenant_{asked}", 0)
        return limit

    def of(self, own: Mapping[str, int]) -> "Rates":
        """These, with a tenant's own in their places; a name that is none of ours changes nothing."""
        known = {name: max(0, limit) for name, limit in own.items() if name in self.__struct_fields__}
        return msgspec.structs.replace(self, **known) if known else self
