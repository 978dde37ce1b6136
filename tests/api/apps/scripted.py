"""An executor that does what a test tells it: for what no language's runtime would let a handler answer.

It takes the work of a pool of its own from the bus, opens what came sealed as an executor does, and answers whom it is
told to. Its functions are written straight into the store.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

from services.executor.ceilings import Ceilings
from shared.bus.broker import Bus
from shared.bus.delivery import DONE, Delivery, Verdict
from shared.bus.lanes import Lanes, Pool
from shared.bus.messages import Answer, Dispatch
from shared.domain.app import App
from shared.domain.function import ActiveVersion, Function
from shared.domain.outcome import Outcome
from shared.domain.request import Request, Response
from shared.domain.trigger import HTTP_BY_DEFAULT, Trigger
from shared.sealed_request import opened
from shared.secrets import Keyring
from shared.store.client import Store
from shared.store.functions import Functions
from tests.platform import Platform

POOL = "scripted"
Script = Callable[[Dispatch], Outcome | Awaitable[Outcome | None] | None]
"""What a function does; None for one that does not end."""

_numbers = count(1)


def http(**config: Any) -> Trigger:
    return Trigger("http", {"auth": "required", **config})


def answer(status: int = 200, headers: list[tuple[str, str]] | None = None, body: bytes = b"") -> Script:
    """A script that answers so."""
    response = Response(status=status, headers=headers or [], body=body)
    return lambda _: Outcome(status="SUCCESS", response=response)


class Scripted:
    """The executor, and what it was asked: `raw` as it travelled, `asked` as a handler would see it."""

    def __init__(self, store: Store, keyring: Keyring) -> None:
        self._store = store
        self._keyring = keyring
        self._scripts: dict[str, Script] = {}
        self.raw: dict[str, Dispatch] = {}
        self.asked: dict[str, Request] = {}

    async def add(self, app: App, script: Script, *, name: str = "", **fields: Any) -> str:
        """A function of that app; its name."""
        functions = Functions(self._store, app.tenant)
        id = await functions.next_id()
        slug, now = f"scripted-{next(_numbers)}", datetime.now(UTC)
        made = Function(
            id=id,
            tenant=app.tenant,
            app=app.id,
            app_slug=app.slug,
            app_name=app.name,
            name=name or slug,
            slug=slug,
            deployed_as=name or slug,
            execution_mode="app",
            environment=POOL,
            created_at=now,
            updated_at=now,
            **{"triggers": (HTTP_BY_DEFAULT,), "active": ActiveVersion(1, "1", "none"), **fields},
        )
        await functions.insert(made)
        self._scripts[slug] = script
        return made.name

    async def run(self, delivery: Delivery[Dispatch], bus: Bus) -> Verdict:
        """Do as is told."""
        dispatch = delivery.body
        assert dispatch.request is not None
        self.raw[dispatch.function_name] = dispatch
        self.asked[dispatch.function_name] = opened(dispatch.request, self._keyring, dispatch.task_id)
        outcome = self._scripts[dispatch.function](dispatch)
        if isinstance(outcome, Awaitable):
            outcome = await outcome
        if outcome is not None:
            await bus.send(dispatch.reply_to, Answer(task_id=dispatch.task_id, outcome=outcome))
        return DONE

    def line(self, name: str, header: str) -> list[str]:
        """The values of a header that the function was asked with."""
        return [value for key, value in self.asked[name].headers if key == header]


@asynccontextmanager
async def scripted_at(platform: Platform, bus: Bus, store: Store) -> AsyncIterator[Scripted]:
    """The executor at work."""
    keys = (platform.data_dir / "secret.key").read_text().split()
    executor = Scripted(store, Keyring([bytes.fromhex(key) for key in keys]))

    async def handle(delivery: Delivery[Dispatch]) -> Verdict:
        return await executor.run(delivery, bus)

    pool = Pool(POOL, Dispatch, handle, None, slots=8, ahead=8, lease_s=30)
    lanes = Lanes(bus, [pool], bound=Ceilings(store, cache_s=30).bound)
    await lanes.start()
    yield executor
    await lanes.stop(grace_s=1)
