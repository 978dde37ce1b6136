"""Asynchronous calls: how fast they are accepted while the executors run them."""

from bench.context import Context
from bench.sample import Sample
from bench.table import Row, Table, at_least

TITLE = "Asynchronous calls"
ORDER = 20


async def measure(context: Context) -> Table | None:
    """A fixed number of calls each; the floor is drained afterwards, Shoal by the section on the drain."""
    seen: dict[str, Sample] = {}
    count = max(500, context.options.drain // 2)
    for one in (context.floor, context.shoal):
        if one is None:
            continue
        ids = context.folder / f"accepted-{one.name}"
        sample = await one.target.submit(in_flight=context.options.in_flight, count=count, ids=ids)
        if sample.errors:
            raise RuntimeError(
                f"{one.name}: {sample.errors} of {count} were not accepted, the first: {sample.first_error}"
            )
        context.count(one.name, sample.served)
        await one.settle(context.answered[one.name])
        seen[one.name] = sample
    if not seen:
        return None
    rate = {name: sample.rate for name, sample in seen.items()}
    many = f"{context.options.in_flight} in flight"
    ratio = at_least(rate.get("shoal"), rate.get("floor"), 0.7, "floor")
    rows = [
        Row(what=f"accepted, {many}", cells={name: f"{value:,.0f}/s" for name, value in rate.items()}, checks=[ratio]),
        Row(what=f"p50, {many}", cells={name: f"{sample.p50_ms:.2f} ms" for name, sample in seen.items()}),
        Row(what=f"p99, {many}", cells={name: f"{sample.p99_ms:.2f} ms" for name, sample in seen.items()}),
    ]
    return Table(title=TITLE, columns=list(seen), rows=rows, notes=[f"{count:,} calls each, all recorded afterwards"])
