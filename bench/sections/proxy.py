"""PROXY functions: many calls that only wait, and a dead endpoint beside a healthy one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.contenders.contender import HttpTarget
from bench.contenders.shoal import Shoal, create_proxy
from bench.context import Context
from bench.processes import python
from bench.sample import Sample
from bench.table import Check, Row, Table, at_most

TITLE = "PROXY functions"
ORDER = 45
CALLS, IN_FLIGHT = 2000, 500
SLOW_S = 1.0
TARGET_S = 1.5 * CALLS / IN_FLIGHT * SLOW_S
DEAD_CALLS = 2000
PARAMS = '{"params": {"amount": 1000}}'


async def measure(context: Context) -> Table | None:
    """The slow endpoint first, then the healthy one alone, then the healthy one beside a dead one with a backlog."""
    shoal = context.shoal
    if shoal is None:
        return None
    async with _endpoints() as (well, dead):
        slow = await _called(shoal, "Slow hook", f"{well}/slow")
        many = await _load(context, slow, "--in-flight", str(IN_FLIGHT), "--count", str(CALLS))
        healthy = await _called(shoal, "Healthy hook", f"{well}/well")
        one = ("--in-flight", "1", "--warm", "0.5", "--seconds", str(context.options.seconds))
        alone = await _load(context, healthy, *one)
        silent = await _called(shoal, "Dead hook", dead, timeout=20)
        await _submit(context, silent)
        beside = await _load(context, healthy, *one)
    took_s = many.count / many.rate
    check = Check(f"{took_s:.2f} s", f"≤ {TARGET_S:g} s", took_s <= TARGET_S)
    rows = [
        _row(f"{CALLS:,} calls of {SLOW_S:g} s, {IN_FLIGHT} in flight", f"{took_s:.2f} s", check),
        _row("p50, healthy endpoint alone", f"{alone.p50_ms:.2f} ms"),
        _row("p99, healthy endpoint alone", f"{alone.p99_ms:.2f} ms"),
        _row(
            f"p50, beside a dead one with {DEAD_CALLS:,} calls",
            f"{beside.p50_ms:.2f} ms",
            at_most(beside.p50_ms, alone.p50_ms, 1.5, "alone"),
        ),
        _row("p99, beside it", f"{beside.p99_ms:.2f} ms"),
    ]
    return Table(title=TITLE, columns=[Shoal.name], rows=rows)


async def _called(shoal: Shoal, title: str, url: str, *, timeout: int = 30) -> HttpTarget:  # noqa: ASYNC109 - a setting's
    slug = await asyncio.to_thread(create_proxy, shoal.ready, title, url, timeout=timeout)
    return HttpTarget(url=f"{shoal.ready.url.rstrip('/')}/api/functions/{slug}/execute/", token=shoal.ready.token)


async def _load(context: Context, target: HttpTarget, *arguments: str) -> Sample:
    sample = await target.run(*arguments, "--body", PARAMS, "--expect", '"ok":true')
    if sample.errors:
        raise RuntimeError(f"{sample.errors} of {sample.served} calls failed, the first: {sample.first_error}")
    context.count(Shoal.name, sample.served)
    return sample


async def _submit(context: Context, target: HttpTarget) -> None:
    """Calls that nobody waits for; they are still under way when the benchmark ends."""
    body = '{"params": {}, "async": true}'
    arguments = ("--in-flight", "16", "--count", str(DEAD_CALLS), "--status", "202")
    sample = await target.run(*arguments, "--body", body, "--expect", "task_id")
    if sample.errors:
        raise RuntimeError(f"{sample.errors} calls were not accepted, the first: {sample.first_error}")


@asynccontextmanager
async def _endpoints() -> AsyncIterator[tuple[str, str]]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*python("bench.endpoint"), stdin=pipe, stdout=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            well, dead = [(await process.stdout.readline()).decode().strip() for _ in range(2)]
        yield well, dead
    finally:
        process.stdin.close()
        await process.wait()


def _row(what: str, cell: str, check: Check | None = None) -> Row:
    return Row(what=what, cells={Shoal.name: cell}, checks=[check] if check else [])
