"""One run from start to end: servers, services, load and kills, rest, verdict."""

import asyncio
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from chaos import effects, records, settings
from chaos.audited import Audited, audited
from chaos.bus import Cluster
from chaos.fleet import Fleet
from chaos.functions import Deployed, Deploying
from chaos.journal import Journal
from chaos.kills import Killer
from chaos.ledger import Ledger
from chaos.load import Load
from chaos.options import Options
from chaos.receiver import Receiver
from chaos.records import Queues, Records
from chaos.store import ReplicaSet
from chaos.verdict import Facts, Findings, judge

TENANT = "default"
QUIET_S = 60.0
"""Without any change for so long, what has not ended is stuck."""
_LOOK_S = 0.5
_SHOWN = 12
Say = Callable[[str], None]


class Report(msgspec.Struct, kw_only=True):
    """What one run has found."""

    options: Options
    folder: Path
    wishes: dict[str, int]
    doubts: dict[str, int]
    invocations: int
    statuses: dict[str, int]
    errors: dict[str, int]
    redelivered: int
    kills: dict[str, int]
    load_s: float
    settle_s: float
    audited: Audited
    findings: Findings

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong, in either opinion."""
        return self.findings.is_clean and self.audited.code == 0


async def run(options: Options, say: Say) -> Report:
    """Start everything, end everything. What is wrong is in the report; raises where there can be none."""
    folder = options.folder or Path(tempfile.mkdtemp(prefix="shoal-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    say(f"seed {options.seed}, {options.count:,} wishes in {options.minutes:g} min, data in {folder}")
    report = None
    try:
        async with AsyncExitStack() as stack:
            report = await _Run(options, folder, say).all(stack)
    finally:
        if report is not None and report.is_clean and not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            say(f"kept: {folder}; again: {options.command}")
    return report


class _Run:
    def __init__(self, options: Options, folder: Path, say: Say) -> None:
        self.options, self.folder, self.say = options, folder, say
        self.journal = Journal(folder / "journal.log", say)
        self.ledger, self.receiver = Ledger(), Receiver()
        self.bus, self.store = Cluster(folder / "bus"), ReplicaSet(folder / "store")
        effects.install(folder / "packages")
        environ = settings.of(folder, bus=self.bus.url, store=self.store.url)
        self.fleet = Fleet(folder / "services", self.journal, settings=environ)

    async def all(self, stack: AsyncExitStack) -> Report:
        """Everything in its order."""
        deployed, deploying = await self._start(stack)
        ticked_from = time.time()
        self.journal.remark("load begins")
        await self._load(deployed)
        self.journal.remark("load is over")
        ended_at = time.time()
        await self.fleet.until_ready()
        await deploying.tick(deployed, on=False)
        found = await stack.enter_async_context(records.opened(self.bus.url, self.store.url))
        queues = await self._settled(found)
        settled_s = time.time() - ended_at
        self.journal.remark(f"settled after {settled_s:.1f} s: {queues}")
        first = await audited({"NATS_URL": self.bus.url, "MONGODB_URL": self.store.url})
        self.journal.remark(f"shoal audit ended with {first.code}")
        facts = await self._facts(found, deployed, ticked=(ticked_from, ended_at))
        return self._report(facts, first, load_s=ended_at - ticked_from, settle_s=settled_s)

    async def _start(self, stack: AsyncExitStack) -> tuple[Deployed, Deploying]:
        stack.push_async_callback(self.receiver.stop)
        stack.push_async_callback(self.bus.stop)
        stack.push_async_callback(self.store.stop)
        stack.push_async_callback(self.fleet.stop)
        await asyncio.gather(self.bus.start(), self.store.start(), self.receiver.start())
        self.journal.remark("servers are up")
        await self.fleet.start()
        self.journal.remark("services are up")
        deploying = Deploying(self.fleet.of("api")[0].url, self.fleet.token)
        deployed = await deploying.all(proxied=self.receiver.url)
        await deploying.tick(deployed, on=True)
        return deployed, deploying

    async def _load(self, deployed: Deployed) -> None:
        options, dice = self.options, random.Random(f"{self.options.seed}/load")
        killer = Killer(
            self.fleet, self.bus, self.store, journal=self.journal, seed=options.seed,
            minutes=options.minutes, lease_s=settings.LEASE_S,
        )  # fmt: skip
        killing = asyncio.create_task(killer.run() if options.kills else asyncio.sleep(0))
        try:
            clients = Load(self.ledger, self.fleet, deployed, dice=dice)
            await clients.run(options.count, minutes=options.minutes)
        finally:
            killer.stop()
            await killing

    async def _settled(self, found: Records) -> Queues:
        """Wait until all has ended; given up when nothing has moved for long."""
        last, since = None, time.monotonic()
        while True:
            now = await found.queues()
            if now.is_settled:
                return now
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > QUIET_S:
                self.journal.remark(f"NOTHING HAS MOVED for {QUIET_S:g} s: {now}")
                return now
            await asyncio.sleep(_LOOK_S)

    async def _facts(self, found: Records, deployed: Deployed, *, ticked: tuple[float, float]) -> Facts:
        commands = await found.stored("INVOKE", "invoke.>")
        ended = await found.stored("EVENTS", "events.*.*.finished")
        return Facts(
            ledger=self.ledger,
            records=await found.all(),
            commands=[body["task_id"] for _, body in commands],
            ended=[body["task_id"] for _, body in ended],
            effects=effects.read(self.folder / "effects.log"),
            taken={id: [one.at for one in taken] for id, taken in self.receiver.taken.items()},
            events=self.journal.events,
            lease_s=settings.LEASE_S,
            tenant=TENANT,
            ticking=list(deployed.ticking.values()),
            ticked=ticked,
        )

    def _report(self, facts: Facts, first: Audited, *, load_s: float, settle_s: float) -> Report:
        rows = facts.records
        return Report(
            options=self.options,
            folder=self.folder,
            wishes=self.ledger.counts(),
            doubts=dict(self.ledger.refusals.most_common(_SHOWN)),
            invocations=len(rows),
            statuses=dict(Counter(row.status for row in rows)),
            errors=dict(Counter(row.error_type for row in rows if row.error_type)),
            redelivered=sum(row.delivery > 1 for row in rows),
            kills=self.journal.counts(),
            load_s=load_s,
            settle_s=settle_s,
            audited=first,
            findings=judge(facts),
        )
