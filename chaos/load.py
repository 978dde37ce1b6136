"""The clients: lanes that make wishes side by side, spread evenly over the time they have."""

import asyncio
import random
import time

from chaos import kinds
from chaos.doors import Doors
from chaos.fleet import Fleet
from chaos.functions import Deployed
from chaos.ledger import Ledger

LANES = 24
_LATE = 1.5
"""So many times the planned time at most: a slow machine makes fewer wishes."""


async def run(
    ledger: Ledger, fleet: Fleet, deployed: Deployed, *, count: int, minutes: float, dice: random.Random
) -> None:
    """Make the wishes; each is waited for until there is an answer."""
    wishes = iter(enumerate(kinds.drawn(count, dice)))
    apis = [one.url for one in fleet.of("api")]
    triggers = [one.url for one in fleet.of("triggers")]
    began, span_s = time.monotonic(), minutes * 60

    async def lane(seed: float) -> None:
        doors = Doors(ledger, apis=apis, triggers=triggers, token=fleet.token, dice=random.Random(seed))
        try:
            for number, submit in wishes:
                due = began + span_s * number / count
                if due > (now := time.monotonic()):
                    await asyncio.sleep(due - now)
                if time.monotonic() > began + span_s * _LATE:
                    return
                await submit(doors, deployed, number)
        finally:
            doors.client.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(LANES):
            group.create_task(lane(dice.random()))
