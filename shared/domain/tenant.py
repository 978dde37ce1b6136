"""A tenant: whose functions, users and invocations stand apart from everybody else's."""

from datetime import datetime

import msgspec

from shared.domain.limits import Amount


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant as it is configured. `limits` are ceilings by the names of `limits.Limits`; what is not there is free.

    `rate_limits` are requests a minute by the names of `rates.Rates`, in place of the platform's; 0 for no limit.

    One that is not active is refused everything.
    """

    slug: str
    name: str = ""
    limits: dict[str, Amount] = {}
    rate_limits: dict[str, int] = {}
    is_active: bool = True
    created_at: datetime | None = None
