"""Where the time goes: CPU per call of each process, in the busy measurement of the calls."""

from bench.context import Context
from bench.table import Row, Table

TITLE = "CPU per call, busy"
ORDER = 15


async def measure(context: Context) -> Table | None:
    """Microseconds of user and system time; nothing is measured here, the calls were."""
    labels = sorted({label for sample in context.busy.values() for label in sample.cpu_us})
    rows = [
        Row(
            what=label,
            cells={name: f"{one.cpu_us[label]:,.0f} µs" for name, one in context.busy.items() if label in one.cpu_us},
        )
        for label in labels
    ]
    total = {name: f"{sum(one.cpu_us.values()):,.0f} µs" for name, one in context.busy.items()}
    return Table(title=TITLE, columns=list(context.busy), rows=[*rows, Row(what="all", cells=total)]) if rows else None
