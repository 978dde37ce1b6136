"""The memory of all workers together: a busy one counts with its limit, an idle one with what it holds."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from services.executor import machine
from services.executor.mode import Unavailable
from services.executor.modes.python.mode import PythonMode
from services.executor.modes.python.worker_key import Key
from services.executor.pool.bounds import Bounds
from services.executor.pool.places import Places
from tests.python_mode.calling import call_of, value_of
from tests.python_mode.opening import Open, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

# The interpreter remembers compiled patterns, from one call to the next.
KEEPS = "import re\ndef main(params):\n    for n in range(3): re.compile(str(n) * 300_000)"
SLOW = "import time\ndef main(params):\n    time.sleep(params['s'])\n    return 'slept'"
QUICK = "def main(params):\n    return 'ok'"


def codes_of(mode: PythonMode) -> list[str]:
    return [worker.key.code_hash for worker in mode._pool._places._by_age]


def own_codes(mode: PythonMode) -> list[str]:
    return [key.code_hash for key in mode._pool._idle]


def busy(mode: PythonMode) -> int:
    return len(mode._pool.live) - mode._pool.idle


def ended(reason: str) -> float:
    return REGISTRY.get_sample_value("shoal_workers_ended_total", {"pool": "python", "reason": reason}) or 0.0


async def test_calls_whose_limits_do_not_fit_together_wait_for_each_other(opened: Open) -> None:
    mode = await opened(memory_mb=200)
    most = 0
    call = await call_of(mode, SLOW, {"s": 0.02}, memory_mb=100)
    calls = [asyncio.create_task(mode.run(call)) for _ in range(8)]
    while not all(one.done() for one in calls):
        most = max(most, busy(mode))
        await asyncio.sleep(0.001)
    assert [value_of(await one) for one in calls] == ["slept"] * 8
    assert most == 2


async def test_no_memory_in_time_hands_the_call_back(opened: Open) -> None:
    mode = await opened(memory_mb=100, place_timeout_s=0.05)
    await mode.run(await call_of(mode, QUICK, memory_mb=64))
    slow = asyncio.create_task(mode.run(await call_of(mode, SLOW, {"s": 1}, memory_mb=64)))
    await until(lambda: busy(mode) == 1)
    with pytest.raises(Unavailable, match="every worker is busy"):  # the warm one may not take what it might take
        await mode.run(await call_of(mode, QUICK, memory_mb=64))
    assert value_of(await slow) == "slept"
    assert value_of(await mode.run(await call_of(mode, QUICK, memory_mb=64))) == "ok"


async def test_what_needs_more_than_there_is_runs_alone(opened: Open) -> None:
    mode = await opened(memory_mb=64)
    big = await call_of(mode, SLOW, {"s": 0.05}, memory_mb=512)
    small = await call_of(mode, SLOW + "#", {"s": 0.05}, memory_mb=64)
    calls = [asyncio.create_task(mode.run(call)) for call in (big, small, big, small)]
    while not all(one.done() for one in calls):
        assert busy(mode) <= 1
        await asyncio.sleep(0.001)
    assert [value_of(await one) for one in calls] == ["slept"] * 4


async def test_idle_workers_that_hold_what_another_needs_are_ended_the_longest_unused_first(opened: Open) -> None:
    mode = await opened(memory_mb=160, recycle_memory_share=1.0)
    calls = [await call_of(mode, KEEPS + "#" * number, memory_mb=100) for number in range(4)]
    before = ended("evicted")
    for call in calls:
        await mode.run(call)
    held_mb = [worker.held_bytes >> 20 for worker in mode._pool._places._by_age]
    assert min(held_mb) > 5, held_mb
    evicted = mode.facts()["counts"]["evicted"]
    assert evicted == ended("evicted") - before > 0
    assert codes_of(mode) == [call.code_hash for call in calls[evicted:]]
    assert sum(held_mb) + 100 <= 160 + held_mb[-1]


async def test_a_warm_worker_is_not_ended_to_make_room_for_itself(opened: Open) -> None:
    mode = await opened(memory_mb=100, recycle_memory_share=1.0)
    call = await call_of(mode, KEEPS, memory_mb=100)
    for _ in range(3):
        await mode.run(call)
    assert mode.facts()["counts"] == {"cold": 1, "warm": 2}


async def test_all_of_it_is_given_back(opened: Open) -> None:
    mode = await opened(memory_mb=300, idle_s=0.05)
    sources = [QUICK, SLOW, "def main():\n    return 1 / 0", "def main():\n    x = [0] * 10 ** 9"]
    sources += ["def main():\n    while True: pass"]
    changes = {"memory_mb": 100, "cpu_s": 0.05}
    calls = [await call_of(mode, source, {"s": 0.01}, **changes) for source in sources * 3]
    await asyncio.gather(*(mode.run(call) for call in calls))
    cut = asyncio.create_task(mode.run(await call_of(mode, SLOW, {"s": 60}, memory_mb=300)))
    await until(lambda: busy(mode) == 1)
    cut.cancel()
    await until(lambda: mode.facts()["workers"] == 0)
    places = mode._pool._places
    assert (places.taken, places._busy_bytes, places._idle_bytes) == (0, 0, 0)
    counts = mode.facts()["counts"]
    assert (counts["cancelled"], counts["cpu"], counts["memory"]) == (1, 3, 3)
    assert counts["cold"] == sum(counts.values()) - counts["cold"] - counts.get("warm", 0)


async def test_unless_it_is_told_it_takes_three_quarters_of_the_machine() -> None:
    places = Places(Bounds())
    quarter_mb = machine.memory_bytes() // 4 >> 20
    assert quarter_mb > 0
    key = Key("acme", 1, "code", quarter_mb)
    taken = 0
    while places.take(key):
        taken += 1
    assert taken == 3


async def test_modes_that_share_places_make_room_for_each_other(opened: Open) -> None:
    places = Places(Bounds(processes=2))
    one, other = await opened(places=places), await opened(places=places)
    calls = [await call_of(one, QUICK + "#" * number) for number in range(3)]
    for mode, call in zip((one, one, other), calls, strict=True):
        await mode.run(call)
    assert [mode.facts()["workers"] for mode in (one, other)] == [1, 1]
    assert own_codes(one) == [calls[1].code_hash]
    assert (one.facts()["counts"], other.facts()["counts"]) == ({"cold": 2, "evicted": 1}, {"cold": 1})


async def test_a_call_of_one_mode_waits_for_the_memory_that_anothers_holds(opened: Open) -> None:
    places = Places(Bounds(memory_mb=100))
    one, other = await opened(places=places), await opened(places=places)
    slow = asyncio.create_task(one.run(await call_of(one, SLOW, {"s": 0.3}, memory_mb=64)))
    await until(lambda: places.taken == 1)
    quick = asyncio.create_task(other.run(await call_of(other, QUICK, memory_mb=64)))
    done, _ = await asyncio.wait({slow, quick}, return_when=asyncio.FIRST_COMPLETED)
    assert done == {slow}
    assert value_of(await quick) == "ok"


async def test_a_tenant_has_its_share_of_the_processes_in_all_modes_together(opened: Open) -> None:
    places = Places(Bounds(processes_per_tenant=1, place_timeout_s=0.05))
    one, other = await opened(places=places), await opened(places=places)
    slow = asyncio.create_task(one.run(await call_of(one, SLOW, {"s": 1})))
    await until(lambda: busy(one) == 1)
    with pytest.raises(Unavailable, match="every worker is busy"):
        await other.run(await call_of(other, QUICK))
    assert value_of(await other.run(await call_of(other, QUICK, tenant="small"))) == "ok"
    assert value_of(await slow) == "slept"
