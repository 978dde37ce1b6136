"""How soon a Shoal is of use: from the command on a fresh data folder until all services say that they are ready."""

from bench.context import Context
from bench.table import Check, Row, Table

TITLE = "Cold start"
ORDER = 1
TARGET_S = 10.0


async def measure(context: Context) -> Table | None:
    """Seconds until `ready.json` was there: measured where Shoal was started."""
    if context.shoal is None:
        return None
    seconds = context.shoal.start_s
    check = Check(f"{seconds:.1f} s", f"< {TARGET_S:g} s", seconds < TARGET_S)
    row = Row(what="`shoal up` on a fresh data folder until ready", cells={"shoal": f"{seconds:.1f} s"}, checks=[check])
    return Table(title=TITLE, columns=["shoal"], rows=[row])
