"""Sockets whose credential is looked at again: one tenant's trouble is not another's."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NamedTuple

from services.triggers.kinds.websocket.admission import TurnedAwayError
from services.triggers.kinds.websocket.checks import Checks
from shared.domain.problem import Problem


class App(NamedTuple):
    tenant: str


class Who(NamedTuple):
    app: App
    expires: float = float("inf")
    token: str = ""


class Socket:
    """What is asked of one."""

    is_idle = False
    heard_at = 0.0

    def __init__(self, tenant: str, *, expires: float = float("inf")) -> None:
        self.who = Who(App(tenant), expires)
        self.away = asyncio.Event()
        self.code = 0

    def turn_away(self, code: int, sentence: str) -> None:
        self.code = code
        self.away.set()


class Known:
    """Who is who: `acme` cannot be found out, `slow` not before it may, and nobody else is known."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.asked = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def again(self, app: App, token: str) -> Who:
        self.asked += 1
        if app.tenant == "slow":
            await self.may.wait()
        elif app.tenant == "acme":
            raise Problem("unavailable", "not just now")
        raise TurnedAwayError(1008, "Invalid token.")

    def mind(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def checks(known: Known) -> Checks:
    return Checks(known.again, mind=known.mind, idle_s=60)  # type: ignore[arg-type]  # as much as is asked


async def away(*sockets: Socket) -> None:
    async with asyncio.timeout(5):
        for socket in sockets:
            await socket.away.wait()


async def test_a_tenant_whose_credentials_cannot_be_judged_keeps_no_other_from_it() -> None:
    known = Known()
    unclear, slow, over, others = Socket("acme"), Socket("slow"), Socket("slow", expires=1.0), Socket("other")
    await asyncio.wait_for(checks(known).turn([unclear, slow, over, others]), timeout=5)  # type: ignore[list-item]
    await away(others, over)
    assert (others.code, over.code) == (1008, 1008)
    assert not unclear.away.is_set()
    assert not slow.away.is_set()
    known.may.set()
    await away(slow)


async def test_one_that_is_asked_about_still_is_asked_about_once() -> None:
    known = Known()
    first, second = Socket("slow"), Socket("slow")
    turning = checks(known)
    for _ in range(5):
        await turning.turn([first, second])  # type: ignore[list-item]
        await asyncio.sleep(0)
    assert known.asked == 1
    known.may.set()
    await away(first, second)
    assert known.asked <= 3
    while known.tasks:
        await asyncio.sleep(0)
