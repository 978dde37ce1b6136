"""The JavaScript mode by itself, on the loop that the executor uses: CPU of the hop, cold starts, memory when idle."""

import os
import statistics
import time
from pathlib import Path

import msgspec

from bench.javascript import hello
from bench.procfs import descendants, pss_bytes
from services.executor.mode import Artefact, Call
from services.executor.modes.javascript.mode import JavascriptMode, open_mode
from services.executor.modes.javascript.settings import JavascriptSettings
from services.executor.pool.bounds import Bounds
from services.executor.pool.places import Places
from shared.config import Platform
from shared.domain.limits import Limits
from shared.domain.outcome import Outcome
from shared.domain.request import Request

WARM_UP, CALLS = 2_000, 20_000
COLD = 20
IDLE = 40
# Neither is spoken to.
_PLATFORM = Platform(nats_url="nats://127.0.0.1:4222", mongodb_url="mongodb://127.0.0.1:27017")
_BARE = Path(__file__).with_name("bare.js")
_LIMITS = Limits(
    timeout_s=30.0,
    cpu_s=30.0,
    memory_mb=128,
    output_bytes=65536,
    log_lines=1000,
    result_bytes=1 << 20,
    params_bytes=1 << 20,
)
_REQUEST = Request(method="POST", url="http://127.0.0.1/", body=hello.BODY.encode())


class Alone(msgspec.Struct, frozen=True):
    """Microseconds of CPU a request, milliseconds to a first answer, megabytes of idle processes together.

    `bare_us` is where Deno does nothing for a request but to hand it to the handler.
    """

    bare_us: float
    deno_us: float
    executor_us: float
    serial_ms: float
    cold_ms: float
    idle: int
    idle_mb: float
    layers: str


async def measure() -> Alone:
    """Each with a mode of its own."""
    bare_us, _, _ = await _hop(_BARE.read_bytes())
    deno_us, executor_us, serial_ms = await _hop()
    cold_ms = await _cold()
    idle, idle_mb, layers = await _idle()
    return Alone(bare_us, deno_us, executor_us, serial_ms, cold_ms, idle, idle_mb, layers)


def _open(processes: int = 64) -> JavascriptMode:
    places = Places(Bounds(processes=processes, processes_per_tenant=processes, recycle_calls=1_000_000))
    mode = open_mode(JavascriptSettings(), platform=_PLATFORM, places=places)
    if not isinstance(mode, JavascriptMode):
        raise TypeError("there is no Deno")
    return mode


async def _hop(host: bytes | None = None) -> tuple[float, float, float]:
    """One call after the other, of one function; Deno's CPU is what its process says itself, by the kernel's clock.

    With a `host` in place of the mode's, asked by the same client in the same rhythm: how long Deno sleeps between two
    calls has more to do with what a call costs it than what it does.
    """
    mode = _open()
    try:
        if host is not None:
            (await mode._starter.folder()).host.write_bytes(host)  # noqa: SLF001 - no setting replaces the host
        call = await _call(mode)
        for _ in range(WARM_UP):
            _succeeded(await mode.run(call))
        times, deno_s, own_s = [], 0.0, time.thread_time()
        for _ in range(CALLS):
            started = time.perf_counter()
            outcome = await mode.run(call)
            times.append(time.perf_counter() - started)
            deno_s += outcome.usage.cpu_s
        own_s = time.thread_time() - own_s
    finally:
        await mode.close()
    return deno_s * 1e6 / CALLS, own_s * 1e6 / CALLS, statistics.median(times) * 1e3


async def _cold() -> float:
    """To the first answer of a function whose code is known and whose process is not there, median."""
    mode, times = _open(), []
    try:
        call = await _call(mode)
        _succeeded(await mode.run(call))  # what the first use of all prepares is prepared
        for number in range(COLD):
            one = msgspec.structs.replace(call, function_id=number + 2, code_hash=f"cold-{number}")
            started = time.perf_counter()
            _succeeded(await mode.run(one))
            times.append((time.perf_counter() - started) * 1e3)
    finally:
        await mode.close()
    return statistics.median(times)


async def _idle() -> tuple[int, float, str]:
    """Of a warm process for each function and all that stands behind them; a shared page divided by its sharers."""
    before = set(descendants(os.getpid()))
    mode = _open(processes=IDLE + 10)
    try:
        call = await _call(mode)
        for number in range(IDLE):
            _succeeded(await mode.run(msgspec.structs.replace(call, function_id=number + 1, code_hash=f"i-{number}")))
        facts = mode.facts()
        used = sum(map(pss_bytes, set(descendants(os.getpid())) - before)) / 2**20
    finally:
        await mode.close()
    layers = ", ".join(f"{layer} {state}" for layer, state in facts.get("sandbox", {}).items())
    return facts["idle"], used, layers


async def _call(mode: JavascriptMode) -> Call:
    made = await mode.prepare(hello.CODE)
    if not isinstance(made, Artefact):
        raise TypeError(f"refused: {made.errors}")
    return Call(
        task_id="bench",
        tenant="bench",
        function_id=1,
        code_hash="bench",
        artefact=made,
        params=hello.BODY.encode(),
        context={},
        limits=_LIMITS,
        trigger_type="http",
        request=_REQUEST,
    )


def _succeeded(outcome: Outcome) -> None:
    if outcome.status != "SUCCESS":
        raise RuntimeError(outcome.message)
