"""Who is killed, and when: by dice that the seed has set. Services, bus and store each have theirs."""

import asyncio
import os
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

from bench.procfs import descendants
from chaos import bus, store
from chaos.fleet import Fleet, Instance
from chaos.journal import KILL, PAUSE, TERM, WORKER, Event, Journal

SERVICES = ("api", "router", "executor", "executor", "recorder", "scheduler", "triggers", "worker", "worker")
HOWS = (KILL, KILL, KILL, TERM, PAUSE)
_DOWN_S = (0.3, 4.0)
"""How long a server is away before it is started again."""


_READY_S = 2.0


class Pace:
    """Seconds between two kills, at least and at most, of each of the three."""

    def __init__(self, minutes: float) -> None:
        slow = 1.0 if minutes < 5 else 2.0
        self.services = (0.5 * slow, 3.0 * slow)
        self.bus = (10.0 * slow, 25.0 * slow)
        self.store = (15.0 * slow, 35.0 * slow)


class Killer:
    """Kills until it is cancelled; `stop` waits until whatever it has begun is over."""

    def __init__(
        self,
        fleet: Fleet,
        cluster: bus.Cluster,
        replicas: store.ReplicaSet,
        *,
        journal: Journal,
        seed: int,
        minutes: float,
        lease_s: float,
    ) -> None:
        self._fleet, self._cluster, self._replicas = fleet, cluster, replicas
        self._journal = journal
        self._lease_s = lease_s
        self._seed = seed
        self._pace = Pace(minutes)
        self._stopping = asyncio.Event()
        self._begun: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until `stop`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat("services", self._pace.services, self._service))
            group.create_task(self._repeat("bus", self._pace.bus, self._bus))
            group.create_task(self._repeat("store", self._pace.store, self._store))

    def stop(self) -> None:
        """Kill no more; `run` returns when what was begun is over."""
        self._stopping.set()

    async def _repeat(
        self, name: str, pause_s: tuple[float, float], act: Callable[[random.Random], Awaitable[None]]
    ) -> None:
        dice = random.Random(f"{self._seed}/{name}")
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), dice.uniform(*pause_s))
            if not self._stopping.is_set():
                await act(dice)
        await asyncio.gather(*self._begun)

    async def _service(self, dice: random.Random) -> None:
        """One service, or a worker. It is not waited for: the next one may be hit while this one is away."""
        which, how, number, part = dice.choice(SERVICES), dice.choice(HOWS), dice.random(), dice.random()
        victim = self._one_of("executor" if which == "worker" else which, number)
        if victim.pid is None or victim.pid in victim.ended or not await victim.ready(within_s=_READY_S):
            return  # it is away already, or not back yet: whoever is killed before he is up is never there
        if which == "worker":
            self._worker(victim, part)
            return
        match how:
            case "SIGSTOP":
                task = asyncio.create_task(self._pause(victim, self._lease_s * (0.3 + 1.5 * part)))
                self._begun.add(task)
                task.add_done_callback(self._begun.discard)
            case _:
                self._end(victim, how)

    def _one_of(self, service: str, number: float) -> Instance:
        instances = self._fleet.of(service)
        return instances[int(number * len(instances))]

    def _end(self, victim: Instance, how: str) -> None:
        assert victim.pid is not None
        victim.ended[victim.pid] = self._journal.note(how, victim.name, victim.pid)
        os.kill(victim.pid, signal.SIGKILL if how == KILL else signal.SIGTERM)

    async def _pause(self, victim: Instance, seconds: float) -> None:
        """Stopped as a whole machine may be, and its workers with it."""
        pid = victim.pid
        assert pid is not None
        event = self._journal.note(PAUSE, victim.name, pid)
        victim.ended[pid] = event  # nobody else touches it meanwhile
        stopped = [pid, *descendants(pid)]
        _signal(stopped, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            _signal(stopped, signal.SIGCONT)
            victim.ended.pop(pid, None)
            self._journal.over(event)

    def _worker(self, executor: Instance, part: float) -> None:
        """Any process below an executor: a worker, or what makes workers."""
        below = descendants(executor.pid) if executor.pid is not None else []
        if not below:
            return
        pid = below[int(part * len(below))]
        event = self._journal.note(WORKER, f"worker-of-{executor.name}", pid)
        _signal([pid], signal.SIGKILL)
        self._journal.over(event)

    async def _bus(self, dice: random.Random) -> None:
        """One server of three; it has caught up before the next one is hit."""
        victim = dice.choice(self._cluster.members)
        down_s = dice.uniform(*_DOWN_S)
        if (pid := victim.pid) is None:
            return
        event = self._journal.note(KILL, victim.server_name, pid)
        await self._restarted(victim, event, down_s)
        await self._cluster.until_healthy()
        self._journal.remark("the bus is whole again")

    async def _store(self, dice: random.Random) -> None:
        """The primary; it follows another one before that one is hit."""
        down_s = dice.uniform(*_DOWN_S)
        victim = await self._replicas.primary()
        if victim is None or (pid := victim.pid) is None:
            return
        event = self._journal.note(KILL, "store-primary", pid)
        await self._restarted(victim, event, down_s)
        await self._replicas.until_settled()
        self._journal.remark("the store is whole again")

    async def _restarted(self, victim: bus.Member | store.Member, event: Event, down_s: float) -> None:
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)
        await victim.wait()
        await asyncio.sleep(down_s)
        await victim.start()
        self._journal.over(event)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
