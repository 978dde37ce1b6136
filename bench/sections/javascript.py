"""JavaScript: the same handler under bare `deno serve`, under workerd and under Shoal; then Shoal's mode by itself.

The others only run the handler: whatever else Shoal does for a call (who may make it, its queue, its bounds, its
record) is what a call costs more.
"""

import asyncio
from contextlib import AsyncExitStack
from typing import NamedTuple

import uvloop

from bench.contenders import shoal
from bench.contenders.contender import HttpTarget
from bench.context import Context
from bench.javascript import alone, hello, peers
from bench.javascript.alone import Alone
from bench.processes import NotRun
from bench.procfs import cpu_table
from bench.sample import Sample, middle
from bench.table import Check, Row, Table, at_most

TITLE = "JavaScript"
ORDER = 70
COLD_MS = 60
IDLE_MB = 700
DENO, WORKERD, SHOAL = "deno serve", "workerd", "shoal"


class Seen(NamedTuple):
    """What was measured over HTTP; by runner."""

    single: dict[str, Sample]
    busy: dict[str, Sample]
    deno_us: float


async def measure(context: Context) -> Table | None:
    """Medians over the rounds, the runners taking turns in each."""
    notes: list[str] = []
    seen = await _over_http(context, notes)
    found = await asyncio.to_thread(uvloop.run, alone.measure())
    notes.append(f"Shoal's processes: {found.layers}")
    return Table(title=TITLE, columns=[DENO, WORKERD, SHOAL], rows=_rows(context, seen, found), notes=notes)


async def _over_http(context: Context, notes: list[str]) -> Seen:
    async with AsyncExitStack() as stack:
        running: dict[str, peers.Peer] = {}
        for name, start in ((DENO, peers.deno_serve), (WORKERD, peers.workerd)):
            folder = context.folder / name.replace(" ", "-")
            folder.mkdir()
            try:
                running[name] = await stack.enter_async_context(start(folder))
            except NotRun as why:
                notes.append(f"{name}: not run ({why})")
        targets = {name: peer.target for name, peer in running.items()}
        if context.shoal is not None:
            url = await asyncio.to_thread(shoal.deploy, context.shoal.ready, hello.NAME, hello.CODE)
            targets[SHOAL] = HttpTarget(url=url, token=context.shoal.ready.token)
        single, busy = await _rounds(context, targets)
        return Seen(single, busy, await _deno_us(context, running[DENO]))


async def _rounds(context: Context, targets: dict[str, HttpTarget]) -> tuple[dict[str, Sample], dict[str, Sample]]:
    single: dict[str, list[Sample]] = {name: [] for name in targets}
    busy: dict[str, list[Sample]] = {name: [] for name in targets}
    for _ in range(context.options.rounds):
        for name, target in targets.items():
            single[name].append(await _load(context, target, in_flight=1))
            busy[name].append(await _load(context, target, in_flight=context.options.in_flight))
    return {name: middle(all_) for name, all_ in single.items()}, {name: middle(all_) for name, all_ in busy.items()}


async def _load(context: Context, target: HttpTarget, *, in_flight: int) -> Sample:
    timing = ("--seconds", str(context.options.seconds), "--warm", str(context.options.warm_s))
    sample = await target.run("--in-flight", str(in_flight), *timing, "--body", hello.BODY, "--expect", hello.EXPECT)
    if sample.errors:
        raise RuntimeError(f"{target.url}: {sample.errors} of {sample.served} failed, first: {sample.first_error}")
    return sample


async def _deno_us(context: Context, peer: peers.Peer) -> float:
    """Of bare `deno serve`, asked by one connection as the mode asks its processes."""
    before = sum(cpu_table(peer.processes()).values())
    sample = await _load(context, peer.target, in_flight=1)
    return (sum(cpu_table(peer.processes()).values()) - before) * 1e6 / sample.served


def _rows(context: Context, seen: Seen, found: Alone) -> list[Row]:
    busy = f"{context.options.in_flight} in flight"
    cold = Check(f"{found.cold_ms:.1f} ms", f"≤ {COLD_MS} ms", found.cold_ms <= COLD_MS)
    fits = found.idle == alone.IDLE and 0 < found.idle_mb <= IDLE_MB
    idle = Check(f"{found.idle_mb / max(found.idle, 1):.1f} MB each", f"≤ {IDLE_MB} MB", fits)
    hop = at_most(found.deno_us, found.bare_us, 2.0, "a bare Deno.serve")
    return [
        Row(what="p50, 1 in flight", cells=_ms(seen.single, "p50_ms")),
        Row(what="p99, 1 in flight", cells=_ms(seen.single, "p99_ms")),
        Row(what=f"throughput, {busy}", cells={name: f"{one.rate:,.0f}/s" for name, one in seen.busy.items()}),
        Row(what=f"p50, {busy}", cells=_ms(seen.busy, "p50_ms")),
        Row(
            what="CPU a request, Deno, executor → Deno",
            cells={DENO: f"{found.bare_us:.1f} µs", SHOAL: f"{found.deno_us:.1f} µs"},
            checks=[hop],
        ),
        Row(what="CPU a request, Deno, without pauses", cells={DENO: f"{seen.deno_us:.1f} µs"}),
        Row(what="CPU a request, executor, executor → Deno", cells={SHOAL: f"{found.executor_us:.1f} µs"}),
        Row(what="p50, executor → Deno", cells={SHOAL: f"{found.serial_ms:.3f} ms"}),
        Row(what="cold start to first answer, p50", cells={SHOAL: f"{found.cold_ms:.1f} ms"}, checks=[cold]),
        Row(what=f"{found.idle} idle warm functions", cells={SHOAL: f"{found.idle_mb:,.0f} MB"}, checks=[idle]),
    ]


def _ms(samples: dict[str, Sample], field: str) -> dict[str, str]:
    return {name: f"{getattr(sample, field):.2f} ms" for name, sample in samples.items()}
