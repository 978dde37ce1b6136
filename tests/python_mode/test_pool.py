"""Workers: kept warm, kept apart, kept within bounds, and replaced when they or their zygote die."""

import asyncio
import fcntl
import os
import signal
import sys
import termios
from pathlib import Path

import msgspec
import pytest
import uvloop

from services.executor.mode import Artefact, Unavailable
from services.executor.modes.python.mode import PythonMode, open_mode
from services.executor.modes.python.settings import PythonSettings
from services.executor.pool.worker import Pooled
from tests.python_mode.calling import call_of, value_of
from tests.python_mode.opening import Open, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

COUNTER = """
import random, decimal, functools
seen = []
def main(params):
    seen.append(1)
    drawn = random.random()
    random.seed(1)
    before = decimal.getcontext().prec
    decimal.getcontext().prec = 3
    return [len(seen), before, drawn]
"""
SLOW = "import time\ndef main(params):\n    print('go')\n    time.sleep(params['s'])\n    return 'slept'"
QUICK = "def main(params):\n    return 'ok'"


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def idle_of(mode: PythonMode) -> list[Pooled]:
    """The idle workers, the one unused for longest first."""
    return list(mode._pool._places._by_age)


def pids_of(mode: PythonMode) -> list[int]:
    return [worker.link.pid for worker in idle_of(mode)]


async def busy_pid(mode: PythonMode) -> int:
    """The only worker, once it has taken its call out of the socket."""
    await until(lambda: bool(mode._pool.live))
    (worker,) = mode._pool.live
    await until(lambda: unread_bytes(worker.link._fd) == 0)
    return worker.link.pid


def unread_bytes(fd: int) -> int:
    """What the other end of a socket has not read yet."""
    return int.from_bytes(fcntl.ioctl(fd, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


async def test_a_warm_worker_is_used_again_without_state(opened: Open) -> None:
    mode = await opened()
    call = await call_of(mode, COUNTER)
    first = value_of(await mode.run(call))
    pids = pids_of(mode)
    second, third = value_of(await mode.run(call)), value_of(await mode.run(call))
    assert pids_of(mode) == pids
    assert first[:2] == second[:2] == third[:2] == [1, 28]
    assert second[2] != third[2]  # the seed of the call before is forgotten
    assert mode.facts()["counts"] == {"cold": 1, "warm": 2}


async def test_tenants_versions_and_limits_do_not_share_a_worker(opened: Open) -> None:
    mode = await opened()
    for changes in ({}, {"tenant": "other"}, {"memory_mb": 32}):
        await mode.run(await call_of(mode, QUICK, **changes))
    await mode.run(await call_of(mode, QUICK + "  # v2"))
    assert len(set(pids_of(mode))) == 4
    assert mode.facts()["counts"] == {"cold": 4}


async def test_overlapping_calls_get_a_worker_each(opened: Open) -> None:
    mode = await opened()
    call = await call_of(mode, SLOW, {"s": 0.2})
    outcomes = await asyncio.gather(*(mode.run(call) for _ in range(4)))
    assert [value_of(outcome) for outcome in outcomes] == ["slept"] * 4
    assert len(set(pids_of(mode))) == 4


async def test_more_calls_than_places_wait_for_one(opened: Open) -> None:
    mode = await opened(processes=2)
    calls = [await call_of(mode, SLOW + f"  # {number % 4}", {"s": 0.01}) for number in range(12)]
    outcomes = await asyncio.gather(*(mode.run(call) for call in calls))
    assert [value_of(outcome) for outcome in outcomes] == ["slept"] * 12
    assert mode.facts()["workers"] <= 2


async def test_no_place_in_time_hands_the_call_back(opened: Open) -> None:
    mode = await opened(processes=1, place_timeout_s=0.05)
    slow = asyncio.create_task(mode.run(await call_of(mode, SLOW, {"s": 1})))
    await busy_pid(mode)
    with pytest.raises(Unavailable, match="every worker is busy"):
        await mode.run(await call_of(mode, QUICK))
    assert value_of(await slow) == "slept"


async def test_the_longest_unused_worker_makes_room(opened: Open) -> None:
    mode = await opened(processes=2)
    first, second, third = [await call_of(mode, QUICK + "#" * number) for number in range(3)]
    for call in (first, second, first, third):
        await mode.run(call)
    assert [worker.key.code_hash for worker in idle_of(mode)] == [first.code_hash, third.code_hash]
    assert mode.facts()["counts"]["evicted"] == 1


async def test_a_tenant_at_its_cap_evicts_its_own(opened: Open) -> None:
    mode = await opened(processes=3, processes_per_tenant=1)
    await mode.run(await call_of(mode, QUICK, tenant="small"))
    await mode.run(await call_of(mode, QUICK, tenant="big"))
    await mode.run(await call_of(mode, QUICK + "#", tenant="big"))
    assert [worker.key.tenant for worker in idle_of(mode)] == ["small", "big"]


async def test_idle_workers_end(opened: Open) -> None:
    mode = await opened(idle_s=0.05)
    await mode.run(await call_of(mode, QUICK))
    await mode.run(await call_of(mode, QUICK + "#"))
    await until(lambda: mode.facts()["workers"] == 0)
    assert mode.facts()["counts"]["unused"] == 2


async def test_workers_are_recycled(opened: Open) -> None:
    mode = await opened(recycle_calls=2)
    call = await call_of(mode, QUICK)
    for _ in range(5):
        await mode.run(call)
    assert mode.facts()["counts"] == {"cold": 3, "warm": 2, "recycled": 2}


async def test_a_worker_that_has_grown_is_recycled(opened: Open) -> None:
    mode = await opened(recycle_memory_share=-1.0)  # past this share is every worker, also one that has not grown
    await mode.run(await call_of(mode, QUICK, memory_mb=16))
    assert mode.facts()["counts"]["recycled"] == 1


async def test_a_worker_killed_during_a_call(opened: Open) -> None:
    mode = await opened()
    running = asyncio.create_task(mode.run(await call_of(mode, SLOW, {"s": 60})))
    os.kill(await busy_pid(mode), signal.SIGKILL)
    outcome = await running
    assert (outcome.error_type, outcome.error) == ("WorkerDied", "the worker ended by itself: signal SIGKILL")
    assert mode.facts()["workers"] == 0
    assert value_of(await mode.run(await call_of(mode, QUICK))) == "ok"


async def test_a_worker_killed_while_idle_costs_no_call(opened: Open) -> None:
    mode = await opened()
    call = await call_of(mode, QUICK)
    await mode.run(call)
    os.kill(pids_of(mode)[0], signal.SIGKILL)
    assert value_of(await mode.run(call)) == "ok"
    assert mode.facts()["counts"]["cold"] == 2


async def test_a_worker_that_cannot_load_its_code_fails_the_call(opened: Open) -> None:
    mode = await opened()
    call = await call_of(mode, QUICK)
    spoilt = msgspec.structs.replace(call, artefact=Artefact(mode.compiler, b"not marshalled"))
    outcome = await mode.run(spoilt)
    assert (outcome.error_type, outcome.error) == ("WorkerDied", "the worker ended by itself: exit status 1")
    assert mode.facts()["counts"] == {"cold": 1, "died": 1}


async def test_a_killed_zygote_is_started_anew(opened: Open) -> None:
    mode = await opened()
    running = asyncio.create_task(mode.run(await call_of(mode, SLOW, {"s": 60})))
    await busy_pid(mode)
    os.kill(mode.facts()["zygote_pid"], signal.SIGKILL)
    outcome = await running
    assert outcome.error_type == "WorkerDied"
    assert value_of(await mode.run(await call_of(mode, QUICK))) == "ok"
    assert mode.facts()["zygote_starts"] == 2


async def test_a_cancelled_call_ends_its_worker(opened: Open) -> None:
    mode = await opened()
    running = asyncio.create_task(mode.run(await call_of(mode, SLOW, {"s": 60})))
    pid = await busy_pid(mode)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert mode.facts()["workers"] == 0
    await until(lambda: not Path(f"/proc/{pid}").exists())


async def test_close_ends_every_process_and_leaks_no_descriptor() -> None:
    before = open_descriptors()
    mode = await open_mode(PythonSettings())
    for number in range(3):
        await mode.run(await call_of(mode, QUICK + "#" * number))
    running = asyncio.create_task(mode.run(await call_of(mode, SLOW, {"s": 60})))
    pids = [*pids_of(mode), mode.facts()["zygote_pid"]]
    await until(lambda: len(mode._pool.live) == 4)
    await mode.close()
    assert (await running).message == "WorkerDied: the executor was stopped"
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))
    assert open_descriptors() == before
    with pytest.raises(Unavailable):
        await mode.prepare(QUICK)


async def test_it_runs_on_uvloop() -> None:
    async def session() -> tuple[object, str]:
        mode = await open_mode(PythonSettings())
        try:
            call = await call_of(mode, "def main(params):\n    return len(params['t'])", {"t": "x" * 2_000_000})
            await mode.run(call)
            late = await mode.run(await call_of(mode, "def main():\n    while True: pass", timeout_s=0.1))
            return value_of(await mode.run(call)), late.error_type
        finally:
            await mode.close()

    # In a thread of its own the zygote would end with the thread; to_thread keeps it for the whole session.
    result = await asyncio.to_thread(uvloop.run, session())
    assert result == (2_000_000, "TimeoutError")
