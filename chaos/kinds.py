"""The kinds of wishes, and how often each is made."""

import asyncio
import base64
import hashlib
import hmac
import random
import time
from collections.abc import Awaitable, Callable

import msgspec

from chaos import effects, functions
from chaos.doors import Doors
from chaos.functions import Deployed

KEYED = 0.4
"""The share of wishes with an idempotency key, of those that can have one."""

ONCE, EXPIRING, CANCELLED = "at most once", "expiring", "cancelled"

Submit = Callable[[Doors, Deployed, int], Awaitable[None]]


def _key(doors: Doors, number: int) -> str:
    return f"wish-{number}" if doors.dice.random() < KEYED else ""


async def python(doors: Doors, deployed: Deployed, number: int) -> None:
    """A Python function, nobody waits."""
    one = doors.ledger.open(number, "python", key=_key(doors, number))
    await doors.execute(one, deployed.slugs[functions.PYTHON], {"steps": doors.dice.randrange(1000)}, **{"async": True})


async def python_sync(doors: Doors, deployed: Deployed, number: int) -> None:
    """A Python function, and the client waits."""
    one = doors.ledger.open(number, "python, waited for", key=_key(doors, number))
    await doors.execute(one, deployed.slugs[functions.PYTHON], {})


async def script(doors: Doors, deployed: Deployed, number: int) -> None:
    """JavaScript."""
    one = doors.ledger.open(number, "javascript", key=_key(doors, number))
    await doors.execute(one, deployed.slugs[functions.SCRIPT], {}, **{"async": True})


async def effect(doors: Doors, _: Deployed, number: int) -> None:
    """A system function that leaves a line, and takes its time."""
    one = doors.ledger.open(number, "effect", key=_key(doors, number))
    pause_s = doors.dice.choice([0.0, 0.0, 0.05, 0.5])
    await doors.execute(one, effects.PLAIN, {"pause_s": pause_s}, **{"async": True})


async def flaky(doors: Doors, _: Deployed, number: int) -> None:
    """A system function whose first tries fail."""
    failures = doors.dice.randrange(1, 4)
    one = doors.ledger.open(number, "flaky", key=_key(doors, number), tries=failures + 1)
    params = {"failures": failures, "after_s": doors.dice.choice([0.05, 0.5, 2.0])}
    await doors.execute(one, effects.FLAKY, params, **{"async": True})


async def proxy(doors: Doors, deployed: Deployed, number: int) -> None:
    """A proxy function, whose endpoint refuses the first requests now and then."""
    failures = doors.dice.choice([0, 0, 0, 1, 2])
    one = doors.ledger.open(number, "proxy", key=_key(doors, number), tries=failures + 1)
    await doors.execute(one, deployed.slugs[functions.PROXY], {"failures": failures}, **{"async": True})


async def webhook(doors: Doors, deployed: Deployed, number: int) -> None:
    """A signed delivery; some of them have the function call another one, some are sent twice though taken."""
    one = doors.ledger.open(number, "webhook", key=f"msg_{number}")
    body = msgspec.json.encode({"number": number, "invoke": number % 5 == 0})
    for _ in range(1 + (number % 7 == 0)):
        await doors.deliver(one, deployed.hook, body, _signed(one.key, body))


async def once(doors: Doors, deployed: Deployed, number: int) -> None:
    """A proxy function that may run at most once, whose endpoint takes its time."""
    one = doors.ledger.open(number, ONCE, key=_key(doors, number))
    await doors.execute(
        one, deployed.slugs[functions.ONCE], {"pause_s": doors.dice.choice([0.0, 0.3])}, **{"async": True}
    )


async def expiring(doors: Doors, _: Deployed, number: int) -> None:
    """A system function that is not to be started late."""
    one = doors.ledger.open(number, EXPIRING, key=_key(doors, number))
    within_s = doors.dice.choice([0.2, 1.0, 5.0])
    await doors.execute(one, effects.PLAIN, {}, **{"async": True, "expires_in": within_s})


async def cancelled(doors: Doors, _: Deployed, number: int) -> None:
    """A system function that its client does not want any more: by then it is queued, runs, or has ended."""
    one = doors.ledger.open(number, CANCELLED)
    await doors.execute(one, effects.PLAIN, {"pause_s": 0.5}, **{"async": True})
    await asyncio.sleep(doors.dice.choice([0.0, 0.3, 1.0]))
    for task_id in list(one.given):
        await doors.cancel(one, task_id)


KINDS: dict[Submit, int] = {
    python: 30,
    python_sync: 12,
    script: 6,
    effect: 20,
    flaky: 8,
    proxy: 8,
    webhook: 12,
    once: 4,
    expiring: 4,
    cancelled: 4,
}
"""Shares, out of their sum."""


def drawn(count: int, dice: random.Random) -> list[Submit]:
    """So many wishes in a random order."""
    return dice.choices(list(KINDS), weights=list(KINDS.values()), k=count)


def _signed(id: str, body: bytes) -> dict[str, str]:
    """By Standard Webhooks."""
    now = int(time.time())
    key = base64.b64decode(functions.SECRET.removeprefix("whsec_"))
    mac = hmac.digest(key, f"{id}.{now}.".encode() + body, hashlib.sha256)
    signature = f"v1,{base64.b64encode(mac).decode()}"
    kind = {"Content-Type": "application/json"}
    return kind | {"webhook-id": id, "webhook-timestamp": str(now), "webhook-signature": signature}
