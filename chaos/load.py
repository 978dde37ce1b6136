"""The clients: many side by side, who make their wishes when they are due, whatever became of those before."""

import asyncio
import random
import time

from chaos import kinds
from chaos.doors import Doors
from chaos.fleet import Fleet
from chaos.functions import Deployed
from chaos.kinds import Submit
from chaos.ledger import Ledger

IN_FLIGHT = 256
"""Wishes that are waited for at once; one more is made when one of them has been answered."""
_LATE = 1.5
"""So many times the planned time at most: a slow machine makes fewer wishes."""


class Load:
    """Makes wishes, each by a client that has nothing else to do."""

    def __init__(self, ledger: Ledger, fleet: Fleet, deployed: Deployed, *, dice: random.Random) -> None:
        self._ledger = ledger
        self._deployed = deployed
        self._token = fleet.token
        self._apis = [one.url for one in fleet.of("api")]
        self._triggers = [one.url for one in fleet.of("triggers")]
        self._dice = dice
        self._idle: list[Doors] = []
        self._room = asyncio.Semaphore(IN_FLIGHT)

    async def run(self, count: int, *, minutes: float) -> None:
        """Spread so many wishes evenly over the time; returns when each has an answer."""
        began, span_s = time.monotonic(), minutes * 60
        try:
            async with asyncio.TaskGroup() as group:
                for number, submit in enumerate(kinds.drawn(count, self._dice)):
                    await asyncio.sleep(max(0.0, began + span_s * number / count - time.monotonic()))
                    await self._room.acquire()
                    if time.monotonic() > began + span_s * _LATE:
                        self._room.release()
                        break
                    group.create_task(self._one(submit, number, self._dice.random()))
        finally:
            for doors in self._idle:
                doors.client.close()

    async def _one(self, submit: Submit, number: int, seed: float) -> None:
        doors = self._idle.pop() if self._idle else self._doors()
        doors.dice = random.Random(seed)
        try:
            await submit(doors, self._deployed, number)
        finally:
            self._room.release()
            self._idle.append(doors)

    def _doors(self) -> Doors:
        return Doors(self._ledger, apis=self._apis, triggers=self._triggers, token=self._token, dice=self._dice)
