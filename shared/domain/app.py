"""An app: a named group of functions of one tenant, with what they share."""

import hashlib
from datetime import datetime
from functools import lru_cache
from typing import Literal

import msgspec

ID_PREFIX = "app_"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ID_DIGITS = 12
# Words that would be read as an app where a proxy in front takes `/api` off a path.
RESERVED_APPS = frozenset({"functions", "auths", "apps"})


class EndUsers(msgspec.Struct, frozen=True, kw_only=True):
    """How an app's end users prove who they are: JWTs signed with a shared secret, or with a key of a JWKS.

    `jwt_secret` is sealed (place `app_place(…)/jwt_secret`); `issuer` and `audience` are demanded where they are set.
    `user_claim` names the claim that is the user's id.
    """

    jwt_secret: str = ""
    jwks_url: str = ""
    issuer: str = ""
    audience: str = ""
    user_claim: str = "sub"


class App(msgspec.Struct, frozen=True):
    """A named group of functions of one tenant.

    `env` are sealed values by key (place `env_place(…)`); `revision` grows at every change.
    """

    id: int
    slug: str
    name: str
    created_at: datetime | None = None
    tenant: str = ""
    revision: int = 1
    env: dict[str, str] = {}
    env_updated_at: datetime | None = None
    allowed_origins: list[str] = []
    end_users: EndUsers = EndUsers()

    @property
    def public_id(self) -> str:
        """What names it among the apps of all tenants."""
        return public_id(self.tenant, self.id)


@lru_cache(maxsize=4096)
def public_id(tenant: str, app_id: int) -> str:
    """The name of an app among those of all tenants: `app_` and 12 letters or digits, the same for ever. No secret."""
    number = int.from_bytes(hashlib.sha256(f"app {tenant}/{app_id}".encode()).digest())
    digits = []
    for _ in range(_ID_DIGITS):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return ID_PREFIX + "".join(digits)


def is_public_id(text: str) -> bool:
    """Whether it has the form of an app's public id; no slug has."""
    return text.startswith(ID_PREFIX)


def app_place(tenant: str, app_id: int) -> str:
    """Where what is secret of an app is sealed."""
    return f"app/{tenant}/{app_id}"


def jwt_secret_place(tenant: str, app_id: int) -> str:
    """Where the secret of an app's end users is sealed."""
    return f"{app_place(tenant, app_id)}/jwt_secret"


Owner = Literal["app", "function"]


def env_place(owner: Owner, tenant: str, id: int, key: str) -> str:
    """Where the value of an environment variable is sealed."""
    return f"env/{owner}/{tenant}/{id}/{key}"
