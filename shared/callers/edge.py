"""Who calls a function over HTTP, and whether its trigger lets them: an application's edge.

A caller is known by a token of the platform, by a JWT of the app's end users, or not at all.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, NamedTuple

from shared.callers.end_users import EndUser, Verifier
from shared.callers.identity import Identity
from shared.callers.signing import is_ours
from shared.domain.app import App
from shared.domain.caller import Caller
from shared.domain.limits import Amount
from shared.domain.problem import Problem
from shared.domain.request import Actor
from shared.store import tokens

Fault = Literal["", "missing", "token", "jwt", "expired", "rights"]
"""What is wrong with a credential: it is not there, not one of ours, not one of an end user's, over, or may not."""

ANONYMOUS = Actor()
_JWT_BEGINS = "eyJ"  # {" in base64: what the header of every JSON Web Token begins with
_JWT_PART = re.compile(r"[A-Za-z0-9_-]{16,}")
_TOKEN = re.compile(rf"{tokens.PREFIX}[A-Za-z0-9_-]{{{tokens.LENGTH}}}")


class Asker(NamedTuple):
    """Who asks: `caller` is there for who has a token of the platform, `fault` for who has proved nothing."""

    actor: Actor = ANONYMOUS
    caller: Caller | None = None
    fault: Fault = "missing"


Known = Callable[[str], Awaitable[Caller | None]]
"""For whom a token of the platform speaks."""


class Edge:
    """Credentials in, who asks out. What was known a moment ago costs no look into the store."""

    def __init__(self, identity: Identity, verifier: Verifier, *, known: Known) -> None:
        self._identity = identity
        self._verifier = verifier
        self._known = known

    async def caller(self, token: str) -> Caller | None:
        """For whom a token of the platform speaks; None for what is none. Raises Problem(unavailable)."""
        return await self._known(token) if token else None

    async def is_platforms(self, credential: str) -> bool:
        """Whether it is, or was, a credential of the platform: nothing for a function to see."""
        return has_our_form(credential) or await self.caller(credential) is not None

    async def is_open(self, tenant: str) -> bool:
        """Whether the tenant is there, and active. Raises Problem(unavailable)."""
        return await self._identity.tenant(tenant) is not None

    async def ceilings(self, tenant: str) -> Mapping[str, Amount]:
        """The most that the functions of a tenant may have, by the names of limits. Raises Problem(unavailable)."""
        found = await self._identity.tenant(tenant)
        return {} if found is None else found.limits

    async def asker(self, app: App, token: str, caller: Caller | None) -> Asker:
        """Who sends this token, which speaks for that caller, to a function of the app. Raises Problem(unavailable)."""
        if not token:
            return Asker()
        if caller is not None:
            return _service(app, caller)
        if not token.startswith(_JWT_BEGINS) or is_ours(token):
            return Asker(fault="token")
        found = await self._verifier.verified(app, token)
        if isinstance(found, EndUser):
            return Asker(Actor(kind="end_user_jwt", user_id=found.user_id, claims=found.claims), fault="")
        return Asker(fault="expired" if found == "expired" else "jwt")


def has_our_form(credential: str) -> bool:
    """Whether it looks like a token of the platform: it may be over, or another tenant's."""
    return credential.startswith(tokens.PREFIX) or is_ours(credential)


def has_ours_within(text: str) -> bool:
    """Whether a token of the platform stands anywhere in a header line, however its sender has written it."""
    if tokens.PREFIX not in text and _JWT_BEGINS not in text:
        return False
    return bool(_TOKEN.search(text)) or any(is_ours(f".{part}.") for part in _JWT_PART.findall(text))


def _service(app: App, caller: Caller) -> Asker:
    """A token of another tenant is as unknown here as one of nobody."""
    if caller.tenant != app.tenant:
        return Asker(fault="token")
    if "functions:execute" not in caller.scopes:
        return Asker(fault="rights")
    return Asker(Actor(kind="service_key", user_id=str(caller.user.id), key_id=caller.token_id), caller, fault="")


_SENTENCES: dict[Fault, str] = {
    "missing": "This app requires authentication. Anonymous access is disabled.",
    "token": "Invalid token.",
    "jwt": "The end user's token is not valid for this app.",
    "expired": "The end user's token has expired.",
}


def refused(fault: Fault) -> Problem:
    """What a caller is told who had to be known."""
    if fault == "rights":
        return Problem("forbidden", "This token does not have the scope functions:execute")
    return Problem("unauthenticated", _SENTENCES[fault])
