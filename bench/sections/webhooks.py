"""Webhooks: signed deliveries, each a new one, verified and on disk; sent to the service that takes them.

What they set off runs meanwhile, on the same cores: that is how it would be.
"""

from urllib.parse import urlsplit

from bench.contenders import shoal
from bench.contenders.contender import HttpTarget
from bench.contenders.shoal import Shoal
from bench.context import Context
from bench.procfs import cpu_table
from bench.sample import Sample, middle
from bench.table import Row, Table

TITLE = "Webhooks"
ORDER = 45
NAME = "webhook-bench"
CODE = "def handler(request, ctx):\n    return None\n"
BODY = '{"type": "invoice.paid", "data": {"id": "in_1", "amount": 4200, "currency": "eur"}}'
EXPECT = '"duplicate":false'
SHOAL = "shoal"
THROUGH = "through the API"


async def measure(context: Context) -> Table | None:
    """Medians over the rounds, to the service's own door and through the API in turns."""
    if context.shoal is None:
        return None
    ready = context.shoal.ready
    made = shoal.deploy_triggered(ready, NAME, CODE, {"type": "webhook", "config": {"allowed_sources": "standard"}})
    signed, secret = urlsplit(made["webhook"]["url"]), made["webhook"]["secret"]
    targets = {
        SHOAL: HttpTarget(url=f"{ready.triggers}{signed.path}"),
        THROUGH: HttpTarget(url=f"{ready.url.rstrip('/')}{signed.path}"),
    }
    single: dict[str, list[Sample]] = {name: [] for name in targets}
    busy: dict[str, list[Sample]] = {name: [] for name in targets}
    for _ in range(context.options.rounds):
        for name, target in targets.items():
            single[name].append(await _load(context, context.shoal, target, secret, in_flight=1))
            busy[name].append(await _load(context, context.shoal, target, secret, in_flight=context.options.in_flight))
    one = {name: middle(samples) for name, samples in single.items()}
    many = {name: middle(samples) for name, samples in busy.items()}
    return Table(title=TITLE, columns=list(targets), rows=_rows(context, one, many))


async def _load(context: Context, running: Shoal, target: HttpTarget, secret: str, *, in_flight: int) -> Sample:
    timing = ("--seconds", str(context.options.seconds), "--warm", str(context.options.warm_s))
    before = cpu_table(running.processes())
    sample = await target.run(
        "--in-flight", str(in_flight), *timing, "--body", BODY, "--expect", EXPECT, "--sign", secret
    )
    if sample.errors:
        raise RuntimeError(f"{target.url}: {sample.errors} of {sample.served} failed, first: {sample.first_error}")
    after = cpu_table(running.processes())
    context.count(SHOAL, sample.served)
    cpu_us = {label: (after[label] - before.get(label, 0.0)) * 1e6 / sample.served for label in after}
    return Sample(
        **{field: getattr(sample, field) for field in sample.__struct_fields__ if field != "cpu_us"}, cpu_us=cpu_us
    )


def _rows(context: Context, one: dict[str, Sample], many: dict[str, Sample]) -> list[Row]:
    busy = f"{context.options.in_flight} in flight"
    cpu = {name: sample.cpu_us.get("triggers", 0.0) for name, sample in many.items()}
    return [
        Row(what="p50, 1 in flight", cells={name: f"{sample.p50_ms:.2f} ms" for name, sample in one.items()}),
        Row(what="p99, 1 in flight", cells={name: f"{sample.p99_ms:.2f} ms" for name, sample in one.items()}),
        Row(
            what=f"verified and on disk, {busy}", cells={name: f"{sample.rate:,.0f}/s" for name, sample in many.items()}
        ),
        Row(what=f"p50, {busy}", cells={name: f"{sample.p50_ms:.2f} ms" for name, sample in many.items()}),
        Row(what=f"p99, {busy}", cells={name: f"{sample.p99_ms:.2f} ms" for name, sample in many.items()}),
        Row(what="CPU of the triggers service, each", cells={name: f"{us:.0f} µs" for name, us in cpu.items()}),
        Row(
            what="verified and on disk on one core of its own",
            cells={name: f"{1e6 / us:,.0f}/s" for name, us in cpu.items() if us},
        ),
    ]
