"""Whether sockets may stay: what is known at once for each, what has to be asked for a tenant's one after the other."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from services.triggers.kinds.websocket.admission import TurnedAwayError, Who
from services.triggers.kinds.websocket.socket import Socket
from shared.domain.app import App
from shared.domain.problem import Problem
from shared.websocket import NORMAL, POLICY

Again = Callable[[App, str], Awaitable[Who]]
"""Who has a socket of this app with this token now. Raises TurnedAwayError, Problem(unavailable)."""
Mind = Callable[[Coroutine[Any, Any, None]], None]
"""Does it, and sees to it that it is not forgotten, nor its fault."""


class Checks:
    """Turns away whose token or time is over. Whom a tenant's app believes may take long to find out: only he waits."""

    def __init__(self, again: Again, *, mind: Mind, idle_s: float) -> None:
        self._again = again
        self._mind = mind
        self._idle_s = idle_s
        self._due: dict[str, dict[Socket, None]] = {}  # of each tenant, those to be asked about, in their order

    async def turn(self, sockets: Sequence[Socket]) -> None:
        """Check these."""
        idle_since = asyncio.get_running_loop().time() - self._idle_s
        for socket in sockets:
            if time.time() >= socket.who.expires:
                socket.turn_away(POLICY, "The token has expired")
            elif socket.heard_at <= idle_since and socket.is_idle:
                socket.turn_away(NORMAL, f"No message for {self._idle_s:g} s")
            else:
                self._ask(socket)

    def _ask(self, socket: Socket) -> None:
        tenant = socket.who.app.tenant
        due = self._due.get(tenant)
        if due is None:
            due = self._due[tenant] = {}
            self._mind(self._asked(tenant, due))
        due[socket] = None

    async def _asked(self, tenant: str, due: dict[Socket, None]) -> None:
        try:
            while due:
                socket = next(iter(due))
                del due[socket]
                await self._check(socket)
        finally:
            del self._due[tenant]

    async def _check(self, socket: Socket) -> None:
        try:
            socket.who = await self._again(socket.who.app, socket.who.token)
        except TurnedAwayError as away:
            socket.turn_away(away.code, away.sentence)
        except Problem:
            return  # it cannot be found out: who was let in stays for as long
