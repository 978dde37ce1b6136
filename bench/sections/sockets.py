"""Websockets: frames through the whole loop and back, one in flight on each socket; and what an idle socket costs."""

import msgspec

from bench.contenders import shoal
from bench.contenders.shoal import Ready, Shoal
from bench.context import Context
from bench.processes import child, output, python
from bench.procfs import cpu_table, pss_bytes
from bench.sample import Sample, middle
from bench.table import Row, Table

TITLE = "Websockets"
ORDER = 46
NAME = "socket-bench"
CODE = """def handler(request, ctx):
    asked = request.json()["payload"]
    return {"total": asked["amount"] * (1 + asked["rate"])}
"""
SOCKETS = (1, 100, 1_000)
IDLE = 10_000
QUICK_IDLE = 1_000


async def measure(context: Context) -> Table | None:
    """Medians over the rounds, at the triggers service's own door; the idle sockets once."""
    if context.shoal is None:
        return None
    running = context.shoal
    shoal.deploy_triggered(running.ready, NAME, CODE, {"type": "websocket", "config": {"event": "bench"}})
    idle = await _idle(context, running)  # first: what a load leaves free in the process would be taken again
    seen: dict[int, list[Sample]] = {count: [] for count in SOCKETS}
    for _ in range(context.options.rounds):
        for count, samples in seen.items():
            samples.append(await _load(context, running, count))
    columns = {count: f"{count:,} socket{'s' if count > 1 else ''}" for count in SOCKETS}
    rows = _rows({columns[count]: middle(samples) for count, samples in seen.items()})
    return Table(title=TITLE, columns=list(columns.values()), rows=rows, notes=[idle])


def _command(ready: Ready, sockets: int, *more: str) -> list[str]:
    url = f"{ready.triggers}/v1/bench/realtime"
    return python("bench.socket_load", "--url", url, "--token", ready.token, "--sockets", str(sockets), *more)


async def _load(context: Context, running: Shoal, sockets: int) -> Sample:
    timing = ("--seconds", str(context.options.seconds), "--warm", str(context.options.warm_s))
    before = cpu_table(running.processes())
    out = await output(_command(running.ready, sockets, *timing), timeout_s=300.0)
    after = cpu_table(running.processes())
    sample = msgspec.json.decode(out, type=Sample)
    if sample.errors:
        raise RuntimeError(f"{sockets} sockets: {sample.errors} of {sample.served} failed: {sample.first_error}")
    context.count("shoal", sample.served)
    cpu_us = {label: (after[label] - before.get(label, 0.0)) * 1e6 / sample.served for label in after}
    return msgspec.structs.replace(sample, cpu_us=cpu_us)


async def _idle(context: Context, running: Shoal) -> str:
    count = IDLE if context.options.rounds > 1 else QUICK_IDLE
    pid = running.ready.services["triggers"].pid
    before = pss_bytes(pid)
    command = _command(running.ready, count, "--hold")
    async with child("idle sockets", command, log=context.folder / "idle-sockets.log", ready=True):
        grown = pss_bytes(pid) - before
    each, all_mb = grown / count / 1024, grown / 2**20
    return f"{count:,} idle sockets in one process: {each:.1f} KB each, {all_mb:,.0f} MB in all (PSS)"


def _rows(seen: dict[str, Sample]) -> list[Row]:
    return [
        Row(what="frames answered", cells={name: f"{one.rate:,.0f}/s" for name, one in seen.items()}),
        Row(what="p50", cells={name: f"{one.p50_ms:.2f} ms" for name, one in seen.items()}),
        Row(what="p99", cells={name: f"{one.p99_ms:.2f} ms" for name, one in seen.items()}),
        Row(
            what="CPU of the triggers service, each frame",
            cells={name: f"{one.cpu_us.get('triggers', 0.0):.0f} µs" for name, one in seen.items()},
        ),
        Row(what="the client's share of a core", cells={name: f"{one.client_cpu:.0%}" for name, one in seen.items()}),
    ]
