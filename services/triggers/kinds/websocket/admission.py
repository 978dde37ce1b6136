"""Who asks at the doors of an app's sockets and channels, and whether he still may."""

import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from services.triggers.kind import World
from shared import request_head as heads
from shared.callers.addressed import addressed_app
from shared.callers.edge import Asker, refused
from shared.domain.app import App
from shared.domain.problem import Problem
from shared.exchange import Scope
from shared.websocket import LATER, POLICY

_MOST_PARAMETERS = 100
_FOR_EVER = float("inf")


class NotHereError(Exception):
    """There is no such app: the handshake is refused."""


class TurnedAwayError(Exception):
    """The socket is not for him who asks, or not now: `code` and a sentence to close it with."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class Who(NamedTuple):
    """Who has a socket: of which app, by which token, and until when that is good (Unix seconds)."""

    app: App
    asker: Asker
    token: str
    expires: float

    @property
    def role(self) -> str:
        """`service` for a token of the platform, `user` for an end user of the app."""
        return "service" if self.asker.caller is not None else "user"


class Admission:
    """Asks what the platform knows; what was known a moment ago costs no look into the store."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def admit(self, scope: Scope, named: Mapping[str, str]) -> Who:
        """Who opens this socket. Raises NotHereError, TurnedAwayError, Problem(invalid)."""
        sent = heads.sent(scope["headers"])
        token = sent.token or token_in(scope["query_string"])
        try:
            app = await self.app(named["app"], host=sent.host, token=token)
            if app is None:
                raise NotHereError
            return await self._known(app, token)
        except Problem as problem:
            raise _away(problem) from None

    async def again(self, app: App, token: str) -> Who:
        """Who he is now, with the same token. Raises TurnedAwayError, Problem(unavailable)."""
        found = await self._world.apps.find(app.public_id, tenant=app.tenant)
        if found is None:
            raise TurnedAwayError(POLICY, "The app is gone")
        return await self._known(found, token)

    async def app(self, named: str, *, host: str, token: str) -> App | None:
        """The app that a request is for. Raises Problem(not_found, invalid, unavailable)."""
        world = self._world
        caller = await world.edge.caller(token)
        return await addressed_app(world.apps, world.auth, named, host=host, caller=caller)

    async def asker(self, app: App, token: str) -> Asker:
        """Who sends this token to the app. Raises Problem(unavailable)."""
        edge = self._world.edge
        return await edge.asker(app, token, await edge.caller(token))

    async def _known(self, app: App, token: str) -> Who:
        if not await self._world.edge.is_open(app.tenant):
            raise TurnedAwayError(LATER, "This app is paused")
        asker = await self.asker(app, token)
        if asker.fault:
            raise TurnedAwayError(POLICY, refused(asker.fault).message)
        return Who(app, asker, token, _expires(asker))


def _expires(asker: Asker) -> float:
    """When it is over for certain; whatever ends it before is found when it is looked at."""
    if asker.caller is not None:
        until = asker.caller.expires_at
        return until.timestamp() if until else _FOR_EVER
    exp = asker.actor.claims.get("exp")
    return float(exp) if isinstance(exp, int | float) else time.time()


def token_in(query: bytes) -> str:
    """The token of who can send no header, as a page in a browser. Two are none."""
    try:
        fields = parse_qsl(query.decode("latin-1"), max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        return ""
    tokens = [value for name, value in fields if name == "token"]
    return tokens[0].strip() if len(tokens) == 1 else ""


def _away(problem: Problem) -> Exception:
    if problem.code == "not_found":
        return NotHereError()
    if problem.code == "unavailable":
        return TurnedAwayError(LATER, "Try again in a moment")
    return problem
