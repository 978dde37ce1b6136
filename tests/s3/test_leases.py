"""Leases: one owner at any moment, whoever dies, freezes or is cut off, and somebody again soon after."""

import asyncio
import itertools
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from shared import embedded
from shared.bus import broker, subjects
from shared.bus.leases import Leases
from shared.bus.notices import Lease
from shared.bus.streams import LEASES, streams
from tests.flow.commands import BOUNDS
from tests.platform import ROOT

LASTS_S = 1.5
TAKEOVER_S = 2 * LASTS_S  # unrenewed, seen late, looked for again; with room for a busy machine
WITHIN_S = 20.0


class Act(NamedTuple):
    who: str
    at: float


class Contender:
    """A process that wants the lease, and what it has done so far."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.acts: list[Act] = []
        self.words: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            name, word, at = line.decode().split()
            self.words.append(word)
            if word == "acts":
                self.acts.append(Act(name, float(at)))

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not holds():
                assert self.process.returncode is None, self.words[-5:]
                await asyncio.sleep(0.02)

    async def ended(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        await self._reading


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[embedded.Nats]:
    server = embedded.Nats(tmp_path)
    await server.start()
    async with broker.connect(server.url, name="test", timeout_s=5) as bus:
        for stream in streams(BOUNDS, first_invocation=1):
            await bus.ensure_stream(stream)
    yield server
    await server.stop()


@asynccontextmanager
async def contender(url: str, name: str, *wrong_s: str) -> AsyncIterator[Contender]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.s3.contender", url, name, str(LASTS_S), *wrong_s,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    made = Contender(name, process)
    try:
        await made.until(lambda: "ready" in made.words)
        yield made
    finally:
        await made.ended()


@asynccontextmanager
async def contenders(url: str, *names: str) -> AsyncIterator[list[Contender]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(contender(url, name)) for name in names]


async def owner_of(all_of_them: list[Contender], *, but: Contender | None = None, after: float = 0.0) -> Contender:
    """Who acts, after a moment."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            for one in all_of_them:
                if one is not but and one.acts and one.acts[-1].at > after:
                    return one
            await asyncio.sleep(0.02)


def reigns(all_of_them: list[Contender]) -> list[tuple[str, float, float]]:
    """Who acted from when to when, in the order of time: nobody may stand twice between two others' acts."""
    acts = sorted((act for one in all_of_them for act in one.acts), key=lambda act: act.at)
    return [
        (who, group[0].at, group[-1].at)
        for who, group in ((who, list(found)) for who, found in itertools.groupby(acts, key=lambda act: act.who))
    ]


async def test_one_of_three_has_it_and_another_one_when_it_is_killed(server: embedded.Nats) -> None:
    async with contenders(server.url, "a", "b", "c") as three:
        first = await owner_of(three)
        await first.until(lambda: len(first.acts) > LASTS_S * 2 / 0.03)  # it is renewed
        first.process.kill()
        await first.ended()
        second = await owner_of(three, but=first)
        (who, _, end), (heir, begin, _) = reigns(three)
        assert (who, heir) == (first.name, second.name)
        assert begin - end < TAKEOVER_S


async def test_who_is_told_to_stop_lets_go_at_once(server: embedded.Nats) -> None:
    async with contenders(server.url, "a", "b") as two:
        first = await owner_of(two)
        first.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WITHIN_S):
            assert await first.process.wait() == 0
        await owner_of(two, but=first)
        (_, _, end), (_, begin, _) = reigns(two)
        assert begin - end < LASTS_S / 2


async def test_a_frozen_owner_does_nothing_more(server: embedded.Nats) -> None:
    """It comes to again when another one has it: it must notice before it does anything."""
    async with contenders(server.url, "a", "b") as two:
        first = await owner_of(two)
        first.process.send_signal(signal.SIGSTOP)
        second = await owner_of(two, but=first)
        first.process.send_signal(signal.SIGCONT)
        await first.until(lambda: "lost" in first.words)
        seen = len(second.acts)
        await second.until(lambda: len(second.acts) > seen + LASTS_S / 0.03)
        assert [who for who, _, _ in reigns(two)] == [first.name, second.name]


async def test_a_bus_that_is_restarted_costs_nobody_the_lease(server: embedded.Nats) -> None:
    """Nor one that stays away for longer than a lease lasts: there is one owner after it, too."""
    async with contenders(server.url, "a", "b", "c") as three:
        first = await owner_of(three)
        await server.stop()
        await server.start()
        seen = len(first.acts)
        await first.until(lambda: len(first.acts) > seen + 2 * LASTS_S / 0.03)
        assert [who for who, _, _ in reigns(three)] == [first.name]
        await server.stop()
        await first.until(lambda: "lost" in first.words)
        silent_since = first.acts[-1].at
        await server.start()
        await owner_of(three, after=silent_since)
        assert len(reigns(three)) <= 2


async def test_wall_clocks_do_not_matter(server: embedded.Nats) -> None:
    async with contender(server.url, "early", "-86400") as early:
        await owner_of([early])
        async with contender(server.url, "late", "86400") as late:
            await early.until(lambda: len(early.acts) > 2 * LASTS_S / 0.03)
            assert not late.acts
            early.process.kill()
            await early.ended()
            await owner_of([late])
            (_, _, end), (_, begin, _) = reigns([early, late])
            assert LASTS_S * 0.5 < begin - end < TAKEOVER_S


async def test_a_renewal_that_was_not_acknowledged_does_not_lose_the_lease(server: embedded.Nats) -> None:
    """What was stored and not heard of makes the next renewal fail: it is our own word that is in the way."""
    async with (
        broker.connect(server.url, name="owner", timeout_s=5) as bus,
        broker.connect(server.url, name="beside", timeout_s=5) as beside,
    ):
        leases = Leases(bus, "owner", LASTS_S)
        async with leases.at_hand():
            held = await leases.take("test", "thing")
            assert held is not None
            subject = subjects.lease("test", "thing")
            last = await bus.last(LEASES, subject, Lease)
            assert last is not None
            word = Lease(owner="owner", lasts_s=LASTS_S, number=1_000_000)
            await beside.replace(subject, word, last=last.sequence)
            async with asyncio.timeout(WITHIN_S):
                while (found := await bus.last(LEASES, subject, Lease)) is None or found.body.number == word.number:
                    await asyncio.sleep(0.02)
            assert held.is_sure()
        assert held.lost.is_set()
        last = await beside.last(LEASES, subject, Lease)
        assert last is not None
        assert last.body.owner == ""
