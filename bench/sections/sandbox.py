"""The python mode by itself: what its lock-down costs, how a call starts cold, how a runaway ends, what workers weigh.

No contender takes part; the modes are opened in this process, on the event loop that the executor uses.
"""

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any

import uvloop

from bench.context import Context
from bench.procfs import descendants, pss_bytes
from bench.sample import percentile
from bench.table import Check, Row, Table
from services.executor.mode import Artefact, Call
from services.executor.modes.python.mode import PythonMode, open_mode
from services.executor.modes.python.settings import PythonSettings
from services.executor.pool.bounds import Bounds
from services.executor.pool.places import Places
from shared.domain.limits import Limits

TITLE = "The sandbox"
ORDER = 60

SPARE, BARE, FORK, FRESH = "sandboxed", "no lock-down", "fork a call", "python -I"
ALL_LAYERS = ("namespaces", "chroot", "uid", "landlock", "rlimits", "seccomp")
WARM_CALLS = 4_000
COLD_CALLS = 60
FRESH_CALLS = 10
KILLS = 10
WORKERS = 300
DEADLINE_S = 0.05

CODE = """def main(params, context):
    total = 0
    for item in params['items']:
        total += item['price'] * item['count']
    return {'total': total, 'tax': round(total * params['rate'], 2), 'lines': len(params['items'])}"""
ITEMS = [{"name": f"article {n:02}", "price": 1.5 * n, "count": n} for n in range(20)]
PARAMS = json.dumps({"rate": 0.19, "items": ITEMS}).encode()
LOOPS = {
    "Python": "def main():\n    while True: pass",
    "C": "import itertools\ndef main():\n    sum(itertools.repeat(0))",
}
ALONE = f"import json, sys\n{CODE}\nprint(json.dumps(main(json.loads(sys.stdin.read()), {{}})))"


async def measure(context: Context) -> Table | None:
    """In a thread with a loop of its own; workers die with the thread that asked for their zygote, not before."""
    rounds = max(1, round(WARM_CALLS * min(1.0, context.options.seconds / 4) / 200))
    return await asyncio.to_thread(uvloop.run, _measure(rounds))


async def _measure(rounds: int) -> Table:
    async with _opened() as whole, _opened(without=ALL_LAYERS, sandbox="weak") as bare:
        warm = await _warm(whole, bare, rounds)
        kills = {name: await _kills(whole, code) for name, code in LOOPS.items()}
        cold = {SPARE: await _cold(whole), BARE: await _cold(bare)}
        source = {SPARE: await _cold(whole, compiled=False), BARE: await _cold(bare, compiled=False)}
        report = whole.facts()["sandbox"]
    async with _opened(Bounds(recycle_calls=1), least_spares=0, most_spares=0) as forking:
        cold[FORK] = await _cold(forking)
    cold[FRESH] = _fresh()
    rows = [*_warm_rows(warm), *_cold_rows(cold, source), *_kill_rows(kills), await _memory_row()]
    layers = ", ".join(f"{layer} {state}" for layer, state in report.items())
    return Table(title=TITLE, columns=[SPARE, BARE, FORK, FRESH], rows=rows, notes=[layers])


@asynccontextmanager
async def _opened(bounds: Bounds | None = None, **settings: Any) -> AsyncIterator[PythonMode]:
    mode = await open_mode(PythonSettings(**settings), places=Places(bounds or Bounds()))
    try:
        yield mode
    finally:
        await mode.close()


def _limits(timeout_s: float) -> Limits:
    return Limits(
        timeout_s=timeout_s,
        cpu_s=timeout_s,
        memory_mb=64,
        output_bytes=65536,
        log_lines=1000,
        result_bytes=1 << 20,
        params_bytes=1 << 20,
    )


async def _call(mode: PythonMode, code: str, *, name: str = "", timeout_s: float = 10.0) -> Call:
    made = await mode.prepare(code)
    if not isinstance(made, Artefact):
        raise TypeError(f"refused: {made.errors}")
    return Call(
        task_id="bench",
        tenant="bench",
        function_id=1,
        code_hash=name or code,
        artefact=made,
        params=PARAMS,
        context={},
        limits=_limits(timeout_s),
    )


async def _warm(whole: PythonMode, bare: PythonMode, rounds: int) -> dict[str, tuple[list[list[int]], float]]:
    """Nanoseconds of each call, burst by burst, and CPU seconds of all, worker and executor; the two take turns."""
    seen: dict[str, tuple[list[list[int]], float]] = {}
    calls = [(SPARE, whole, await _call(whole, CODE)), (BARE, bare, await _call(bare, CODE))]
    for turn in range(rounds + 1):
        for name, mode, call in calls:
            times, cpu_s = seen.get(name, ([], 0.0))
            more, more_s = await _burst(mode, call)
            if turn:  # the first warms up
                seen[name] = ([*times, more], cpu_s + more_s)
    return seen


async def _burst(mode: PythonMode, call: Call) -> tuple[list[int], float]:
    times, worker_s, own_s = [], 0.0, time.thread_time()
    for _ in range(200):
        started = time.perf_counter_ns()
        outcome = await mode.run(call)
        times.append(time.perf_counter_ns() - started)
        if outcome.status != "SUCCESS":
            raise RuntimeError(outcome.message)
        worker_s += outcome.usage.cpu_s
    return times, worker_s + time.thread_time() - own_s


async def _cold(mode: PythonMode, *, compiled: bool = True) -> float:
    """Milliseconds to the first result of a function no worker knows, median; compiled in advance or not."""
    times = []
    call = await _call(mode, CODE)
    for number in range(COLD_CALLS):
        await asyncio.sleep(0.03)  # a spare was taken: its successor is forked meanwhile
        name = f"cold-{compiled}-{number}"
        started = time.perf_counter()
        one = await _call(mode, CODE + f"  # {number}", name=name) if not compiled else _renamed(call, name)
        outcome = await mode.run(one)
        times.append((time.perf_counter() - started) * 1e3)
        if outcome.status != "SUCCESS":
            raise RuntimeError(outcome.message)
    return statistics.median(times)


def _renamed(call: Call, name: str) -> Call:
    fields = {field: getattr(call, field) for field in call.__struct_fields__}
    return Call(**fields | {"code_hash": name})


def _fresh() -> float:
    """Milliseconds for an interpreter of its own, without any sandbox, median."""
    times = []
    for _ in range(FRESH_CALLS):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-c", ALONE], input=PARAMS, capture_output=True, check=True, timeout=10)
        times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times)


async def _kills(mode: PythonMode, code: str) -> list[float]:
    """Milliseconds from the deadline until the outcome, ordered; the first, which starts a worker, left out."""
    call = await _call(mode, code, timeout_s=DEADLINE_S)
    late = []
    for _ in range(KILLS + 1):
        started = time.perf_counter()
        outcome = await mode.run(call)
        late.append((time.perf_counter() - started - DEADLINE_S) * 1e3)
        if outcome.error_type != "TimeoutError":
            raise RuntimeError(f"a loop ended with {outcome.message or 'a result'}")
    return sorted(late[1:])


async def _memory_row() -> Row:
    """The zygote with many warm workers and its spares, a shared page divided by its sharers; root may read it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # three descriptors a worker
    bounds = Bounds(processes=WORKERS + 10, processes_per_tenant=WORKERS + 10)
    async with _opened(bounds) as mode:
        call = await _call(mode, CODE)
        for number in range(WORKERS):
            await mode.run(_renamed(call, f"warm-{number}"))
        pids = descendants(mode.facts()["zygote_pid"])
        used = sum(map(pss_bytes, pids)) / 2**20
        workers = mode.facts()["idle"]
    check = Check(f"{used / workers:.2f} MB each", "300 in < 1024 MB", workers == WORKERS and 0 < used < 1024)
    return Row(what=f"{workers} warm workers", cells={SPARE: f"{used:,.0f} MB"}, checks=[check])


def _warm_rows(warm: dict[str, tuple[list[list[int]], float]]) -> list[Row]:
    ordered = {name: sorted(chain.from_iterable(bursts)) for name, (bursts, _) in warm.items()}
    p50 = {name: percentile(times, 0.50) / 1e6 for name, times in ordered.items()}
    p99 = {name: percentile(times, 0.99) / 1e6 for name, times in ordered.items()}
    rate = {name: len(ordered[name]) / cpu_s for name, (_, cpu_s) in warm.items()}
    # Of neighbours in time: what else the machine does changes from burst to burst.
    pairs = zip(warm[SPARE][0], warm[BARE][0], strict=True)
    ratio = statistics.median(statistics.median(one) / statistics.median(other) for one, other in pairs)
    checks = [
        Check(f"{ratio:.2f} x no lock-down", "≤ 1.1 x", ratio <= 1.1),
        Check(f"{p50[SPARE]:.3f} ms", "< 0.3 ms", p50[SPARE] < 0.3),
    ]
    per_core = Check(f"{rate[SPARE]:,.0f}/s", "≥ 4,000/s", rate[SPARE] >= 4_000)
    return [
        Row(what="warm call, 1 KB of JSON, p50", cells=_ms(p50, digits=3), checks=checks),
        Row(what="warm call, p99", cells=_ms(p99, digits=3)),
        Row(
            what="calls per second of CPU time",
            cells={name: f"{one:,.0f}" for name, one in rate.items()},
            checks=[per_core],
        ),
    ]


def _cold_rows(cold: dict[str, float], source: dict[str, float]) -> list[Row]:
    known = Check(f"{cold[SPARE]:.1f} ms", "≤ 3 ms", cold[SPARE] <= 3)
    compiled = Check(f"{source[SPARE]:.1f} ms", "≤ 8 ms", source[SPARE] <= 8)
    return [
        Row(what="cold call, code known, p50", cells=_ms(cold), checks=[known]),
        Row(what="cold call, from source, p50", cells=_ms(source), checks=[compiled]),
    ]


def _kill_rows(kills: dict[str, list[float]]) -> list[Row]:
    rows = []
    for name, late in kills.items():
        check = Check(f"{late[-1]:.1f} ms at most", "≤ 10 ms", late[-1] <= 10)
        cells = {SPARE: f"{statistics.median(late):.1f} ms"}
        rows.append(Row(what=f"deadline to outcome, a loop in {name}, p50", cells=cells, checks=[check]))
    return rows


def _ms(values: dict[str, float], *, digits: int = 1) -> dict[str, str]:
    return {name: f"{value:.{digits}f} ms" for name, value in values.items()}
