"""Synchronous calls, one at a time and many in flight, the contenders taking turns in every round."""

from bench.contenders.contender import Contender
from bench.context import Context
from bench.meter import metered
from bench.sample import Sample, middle
from bench.table import Check, Row, Table, at_least, at_most

TITLE = "Synchronous calls"
ORDER = 10
WARM_UP_S = 2.0


async def measure(context: Context) -> Table | None:
    """Medians over the rounds."""
    options, rounds = context.options, range(context.options.rounds)
    contenders = context.contenders()
    if not contenders:
        return None
    single: dict[str, list[Sample]] = {one.name: [] for one in contenders}
    busy: dict[str, list[Sample]] = {one.name: [] for one in contenders}
    for one in contenders:
        await _load(context, one, in_flight=options.in_flight, seconds=min(WARM_UP_S, options.seconds))
    for _ in rounds:
        for one in contenders:
            single[one.name].append(await _load(context, one, in_flight=1, seconds=options.seconds))
            busy[one.name].append(await _load(context, one, in_flight=options.in_flight, seconds=options.seconds))
    alone = {name: middle(samples) for name, samples in single.items()}
    context.busy = {name: middle(samples) for name, samples in busy.items()}
    if context.floor is not None:
        await context.floor.settle(context.answered["floor"])
    names = [one.name for one in contenders]
    rows = _rows(alone, context.busy, options.in_flight)
    return Table(title=TITLE, columns=names, rows=rows, notes=_notes(context, busy))


async def _load(context: Context, one: Contender, *, in_flight: int, seconds: float) -> Sample:
    """One measurement, which is counted."""
    warm_s = context.options.warm_s
    sample = await metered(one, context.contenders(), in_flight=in_flight, seconds=seconds, warm_s=warm_s)
    context.count(one.name, sample.served)
    return sample


def _rows(alone: dict[str, Sample], busy: dict[str, Sample], in_flight: int) -> list[Row]:
    shoal = alone.get("shoal")
    first = {name: sample.p50_ms for name, sample in alone.items()}
    rate = {name: sample.rate for name, sample in busy.items()}
    tail = Check("-", "≤ 4 x own p50", None)
    if shoal:
        ratio = shoal.p99_ms / shoal.p50_ms
        tail = Check(f"{ratio:.2f} x own p50", "≤ 4 x own p50", ratio <= 4)
    p50 = at_most(first.get("shoal"), first.get("floor"), 1.5, "floor")
    versus = at_most(first.get("shoal"), first.get("celery"), 1.0, "Celery")
    share = at_least(rate.get("shoal"), rate.get("floor"), 0.7, "floor")
    lead = at_least(rate.get("shoal"), rate.get("celery"), 2.5, "Celery")
    many = f"{in_flight} in flight"
    return [
        Row(what="p50, 1 in flight", cells=_ms(alone, "p50_ms"), checks=[p50, Check(versus.ratio, "", None)]),
        Row(what="p99, 1 in flight", cells=_ms(alone, "p99_ms"), checks=[tail]),
        Row(what=f"throughput, {many}", cells={n: f"{v:,.0f}/s" for n, v in rate.items()}, checks=[share, lead]),
        Row(what=f"p50, {many}", cells=_ms(busy, "p50_ms")),
        Row(what=f"p99, {many}", cells=_ms(busy, "p99_ms")),
        Row(what="load client, share of one core", cells={n: f"{one.client_cpu:.0%}" for n, one in busy.items()}),
        Row(what="other work on the machine meanwhile", cells={n: f"{one.others:.0%}" for n, one in busy.items()}),
    ]


def _ms(samples: dict[str, Sample], field: str) -> dict[str, str]:
    return {name: f"{getattr(sample, field):.2f} ms" for name, sample in samples.items()}


def _notes(context: Context, busy: dict[str, list[Sample]]) -> list[str]:
    notes = [
        f"{name}: {context.options.in_flight} in flight by round: " + ", ".join(f"{one.rate:,.0f}/s" for one in samples)
        for name, samples in busy.items()
    ]
    if context.floor is not None:
        notes.append(f"floor: every one of {context.answered['floor']:,} calls was found recorded in MongoDB")
    if context.celery is not None and (spread := context.celery.spread):
        notes.append(
            f"celery: the better of two client shapes, {spread.processes} process(es) x {spread.threads} threads"
        )
    return notes
