"""Memory of every process while nothing runs, after all the load of this run."""

import asyncio

from bench.context import Context
from bench.procfs import pss_bytes, rss_bytes
from bench.table import Row, Table

TITLE = "Memory in MB, resident / proportional, idle after the load"
ORDER = 90  # last, so that caches and arenas are as large as they get
PAUSE_S = 2.0


async def measure(context: Context) -> Table | None:
    """RSS by label (a label may be several processes), and PSS where processes share pages."""
    await asyncio.sleep(PAUSE_S)
    cells: dict[str, dict[str, str]] = {}
    sums: dict[str, list[float]] = {}
    for one in context.contenders():
        for label, pids in one.processes().items():
            rss, pss = (sum(measure_one(pid) for pid in pids) / 2**20 for measure_one in (rss_bytes, pss_bytes))
            times = f" ({len(pids)} processes)" if len(pids) > 1 else ""
            cells.setdefault(label, {})[one.name] = f"{rss:.0f} / {pss:.0f}{times}"
            total = sums.setdefault(one.name, [0.0, 0.0])
            total[0] += rss
            total[1] += pss
    rows = [Row(what=label, cells=by_name) for label, by_name in sorted(cells.items())]
    everything = {name: f"{rss:.0f} / {pss:.0f}" for name, (rss, pss) in sums.items()}
    return Table(title=TITLE, columns=list(sums), rows=[*rows, Row(what="all", cells=everything)]) if rows else None
