"""Lines of functions that are followed while their calls run: offered at a rate, each number checked by each reader."""

import msgspec

from bench.contenders import shoal
from bench.context import Context
from bench.line_followers import Followed
from bench.processes import output, python
from bench.table import Row, Table

TITLE = "Following logs"
ORDER = 47
FUNCTIONS, FOLLOWERS, SLOW = 20, 50, 2
RATE = 50_000


async def measure(context: Context) -> Table | None:
    """One run; what is neither told nor named fails it."""
    if context.shoal is None:
        return None
    ready = context.shoal.ready
    names = [shoal.create(ready, f"Followed {number}") for number in range(FUNCTIONS)]
    functions = [argument for name in names for argument in ("--function", f"{name}={shoal.id_of(ready, name)}")]
    command = python(
        "bench.line_followers",
        *("--url", ready.url, "--token", ready.token, "--nats", ready.nats),
        *("--pid", str(ready.services["api"].pid), "--followers", str(FOLLOWERS), "--slow", str(SLOW)),
        *("--rate", str(RATE), "--seconds", str(max(5.0, context.options.seconds)), *functions),
    )
    seen = msgspec.json.decode(await output(command, timeout_s=300.0), type=Followed)
    if seen.unnamed or seen.wrong or seen.missing_ends:
        raise RuntimeError(f"lines were lost silently: {seen}")
    return Table(title=TITLE, columns=["shoal"], rows=_rows(seen), notes=[_note()])


def _rows(seen: Followed) -> list[Row]:
    named = ", ".join(f"{count:,} {why}" for why, count in sorted(seen.named.items())) or "none"
    figures = {
        "lines offered": f"{seen.offered / seen.offered_s:,.0f}/s",
        "lines told, to all followers together": f"{seen.told / seen.offered_s:,.0f}/s",
        "lines named in gaps": named,
        "lines neither told nor named": f"{seen.unnamed}",
        "resident memory of the API, before and at most": f"{seen.rss_before_mb:.0f}, {seen.rss_most_mb:.0f} MB",
    }
    return [Row(what=what, cells={"shoal": figure}) for what, figure in figures.items()]


def _note() -> str:
    return (
        f"{FUNCTIONS} functions, {FOLLOWERS} followers, {SLOW} of which read 4 KiB and rest 0.2 s; "
        "batches are published by the executor's own code from the readers' process"
    )
