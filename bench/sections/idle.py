"""Memory without load: a Shoal that was just started, functions that nobody calls, and workers that are warm."""

import asyncio

from bench.contenders.shoal import Shoal, call, create
from bench.context import Context
from bench.procfs import pss_bytes
from bench.table import Check, Row, Table

TITLE = "Idle after the start"
ORDER = 5  # before the first load
SETTLE_S = 2.0
SIDE_BY_SIDE = 4
WARM = 16
RESTING_MB = 450
WORKER_MB = 4
FUNCTION_KB = 10


async def measure(context: Context) -> Table | None:
    """Before anything was asked of it, with many active functions that were never called, and with some called once."""
    shoal, count = context.shoal, context.options.functions
    if shoal is None:
        return None
    rows = [
        _row("just started: services, supervisor, nats-server", _below(shoal.resting_mb, RESTING_MB, "MB resident"))
    ]
    resident, processes = shoal.resident_mb(), _processes(shoal)
    slugs = await _create(shoal, count)
    await asyncio.sleep(SETTLE_S)
    each_kb, more = (shoal.resident_mb() - resident) * 1024 / count, _processes(shoal) - processes
    rows += [
        _row(f"{count:,} functions more, each", _below(each_kb, FUNCTION_KB, "KB resident")),
        _row(f"{count:,} functions more, processes", Check(f"{more:+d}", "none", more <= 0)),
    ]
    for slug in slugs[:WARM]:
        await asyncio.to_thread(call, shoal.ready, slug)
        context.count(shoal.name, 1)
    await asyncio.sleep(SETTLE_S)
    workers = [pss_bytes(pid) / 2**20 for pid in shoal.workers()]
    mean = sum(workers) / max(1, len(workers))
    rows.append(_row(f"a warm worker, one of {len(workers)}", _below(mean, WORKER_MB, "MB proportional")))
    notes = ["without mongod; resident counts a shared page for each process, proportional divides it among them"]
    return Table(title=TITLE, columns=[Shoal.name], rows=rows, notes=notes)


def _row(what: str, check: Check) -> Row:
    return Row(what=what, cells={Shoal.name: check.ratio}, checks=[check])


def _below(value: float, target: float, unit: str) -> Check:
    return Check(f"{value:.1f} {unit}", f"< {target:g}", value < target)


def _processes(shoal: Shoal) -> int:
    return sum(len(pids) for pids in shoal.processes().values())


async def _create(shoal: Shoal, count: int) -> list[str]:
    """Through the API, as their authors would, a few side by side; their slugs."""
    numbers = iter(range(count))
    slugs: list[str] = []

    async def some() -> None:
        for number in numbers:  # the others take from it too
            slugs.append(await asyncio.to_thread(create, shoal.ready, f"Idle {number}"))  # noqa: PERF401

    await asyncio.gather(*(some() for _ in range(SIDE_BY_SIDE)))
    return slugs
