"""The settings of the API, `SHOAL_API_*`."""

from typing import Annotated

import msgspec

from shared.config import Platform
from shared.domain.rates import Limit, Rates

_ENVELOPE_BYTES = 64 << 10  # what may stand round the params in a body


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in bytes, times in seconds.

    `fd` is an inherited listening socket, -1 for an own one on `host` and `port`.
    `execute_wait_s` is how long a synchronous caller waits before the answer is "accepted, not done yet".
    `max_waiting` bounds how many may wait at once in this process; one more is told to come again.
    `compile_wait_s` is how long an upload waits for an executor to check the code.
    `body_bytes` bounds a request body (raised by itself when `SHOAL_PARAMS_BYTES` would not fit), `body_wait_s` how
    long its sender may take. `code_bytes` bounds a source: 1 MiB of it may be 2 MiB of JSON and more.
    `token_cache_s` is how long a token, a user or a tenant is believed without asking the store again, should the
    notice of a change be lost.
    `domain` is the one below which each tenant has a host name of its own; empty: host names say nothing.
    `access_s` and `refresh_s` are how long the two tokens of a login last; `logins_at_once` bounds the passwords that
    are checked side by side, 20 MB of memory each.
    `call_queue_s` is how much longer than the function may run a caller over HTTP waits for it. `jwks_cache_s` is how
    long the public keys of an app's end users are believed without being fetched again.
    `triggers_url` is the door of the triggers service, to which what is asked for there is passed on; empty where
    something in front of both does that.
    `triggers_public_url` is where the world reaches webhooks, where that is not the host that the API is asked at.
    `event_sources` bounds how many a tenant may have, `plugins` likewise.
    `docs` has the API describe itself, to everybody, at `/api/schema/` and `/api/docs/`.
    `followers` and `tenant_followers` bound how many may follow logs in this process at once, in all and of one tenant;
    every `keep_alive_s` each gets a sign of life, and is asked whether it still may. Of lines `follower_bytes` wait for
    one that reads slowly.
    `load_bytes` bounds a source that is loaded from a URL, `load_timeout_s` how long that may take in all.
    The `rate_…` are requests a minute by class, of one token or address and of a tenant as a whole, 0 for no limit;
    `rate_limits` switches all of them. `rate_counts` bounds how many tokens, addresses and tenants are counted at once.
    """

    fd: int = -1
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8000
    execute_wait_s: Annotated[float, msgspec.Meta(gt=0)] = 300.0
    max_waiting: Annotated[int, msgspec.Meta(gt=0)] = 2000
    compile_wait_s: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    body_bytes: Annotated[int, msgspec.Meta(gt=0)] = 4 << 20
    body_wait_s: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    code_bytes: Annotated[int, msgspec.Meta(gt=0, le=4 << 20)] = 1 << 20
    token_cache_s: Annotated[float, msgspec.Meta(ge=0)] = 30.0
    domain: Annotated[str, msgspec.Meta(max_length=200, pattern=r"\A([a-z0-9-]+(\.[a-z0-9-]+)*)?\Z")] = ""
    access_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 900.0
    refresh_s: Annotated[float, msgspec.Meta(ge=1, le=31_536_000)] = 604_800.0
    logins_at_once: Annotated[int, msgspec.Meta(ge=1, le=64)] = 2
    call_queue_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 30.0
    jwks_cache_s: Annotated[float, msgspec.Meta(ge=1, le=86_400)] = 300.0
    triggers_url: Annotated[str, msgspec.Meta(max_length=1000, pattern=r"\A(http://[^\s?#]+)?\Z")] = ""
    triggers_public_url: Annotated[str, msgspec.Meta(max_length=1000, pattern=r"\A(https?://[^\s?#]+)?\Z")] = ""
    event_sources: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 100
    plugins: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 1000
    docs: bool = True
    followers: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 200
    tenant_followers: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 50
    follower_bytes: Annotated[int, msgspec.Meta(ge=1 << 16, le=1 << 30)] = 1 << 20
    keep_alive_s: Annotated[float, msgspec.Meta(ge=0.1, le=300)] = 15.0
    load_bytes: Annotated[int, msgspec.Meta(gt=0, le=4 << 20)] = 1 << 20
    load_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=300)] = 10.0
    rate_limits: bool = True
    rate_authentication: Limit = Rates().authentication
    rate_execution: Limit = Rates().execution
    rate_other: Limit = Rates().other
    rate_tenant_execution: Limit = Rates().tenant_execution
    rate_tenant_other: Limit = Rates().tenant_other
    rate_counts: Annotated[int, msgspec.Meta(ge=100, le=10_000_000)] = 20_000

    @property
    def rates(self) -> Rates:
        """The platform's rate limits."""
        return Rates(**{name: getattr(self, f"rate_{name}") for name in Rates.__struct_fields__})


class Admin(msgspec.Struct, frozen=True):
    """`SHOAL_ADMIN_TOKEN`: the token of the first administrator; empty for none."""

    admin_token: str = ""


def body_cap(settings: Api, platform: Platform) -> int:
    """The bound on a request body, bytes."""
    return max(settings.body_bytes, platform.params_bytes + _ENVELOPE_BYTES)
