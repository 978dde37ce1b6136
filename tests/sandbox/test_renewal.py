"""Spares wait for a function; a zygote is replaced in time, and after an attack from inside a worker."""

import asyncio
import os
import signal
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from tests.python_mode.calling import call_of, value_of
from tests.python_mode.opening import Open, until
from tests.sandbox.breakout import breakout_call
from tests.unit.test_execution import FUNCTION

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUICK = "def main(params):\n    return 'ok'"
SLOW = "import time\ndef main(params):\n    time.sleep(0.5)\n    return 'slept'"
ATTACK = "call('ptrace', 0)"


async def test_spares_wait_from_the_first_use(opened: Open) -> None:
    mode = await opened(least_spares=3)
    assert mode.facts()["spares"] == 0
    await mode.prepare(QUICK)
    await until(lambda: mode.facts()["spares"] == 3)
    assert mode.facts()["workers"] == 0


async def test_a_taken_spare_is_replaced(opened: Open) -> None:
    mode = await opened()
    await mode.prepare(QUICK)
    await until(lambda: mode.facts()["spares"] == 2)
    assert value_of(await mode.run(await call_of(mode, QUICK))) == "ok"
    await until(lambda: mode.facts()["spares"] == 2)


async def test_demand_raises_the_number_up_to_its_bound(opened: Open) -> None:
    mode = await opened(least_spares=1, most_spares=3)
    calls = [await call_of(mode, QUICK + "#" * number) for number in range(10)]
    await asyncio.gather(*(mode.run(call) for call in calls))
    await until(lambda: mode.facts()["spares"] == 3)


async def test_a_spare_that_dies_is_not_handed_out(opened: Open) -> None:
    mode = await opened()
    await mode.prepare(QUICK)
    await until(lambda: mode.facts()["spares"] == 2)
    os.kill(mode._spares._ready[0].pid, signal.SIGKILL)
    await until(lambda: mode.facts()["spares"] == 1)
    assert value_of(await mode.run(await call_of(mode, QUICK))) == "ok"


async def test_the_zygote_is_renewed_in_time_and_the_old_one_ends(opened: Open) -> None:
    mode = await opened(renewal_s=0.3)
    first = mode.facts()["zygote_pid"]
    call = await call_of(mode, QUICK)
    await mode.run(call)
    await until(lambda: mode.facts()["zygote_pid"] not in (first, None))
    assert value_of(await mode.run(call)) == "ok"
    await until(lambda: not Path(f"/proc/{first}").exists())


async def test_a_call_that_runs_outlives_the_renewal(opened: Open) -> None:
    mode = await opened(renewal_s=0.2)
    first = mode.facts()["zygote_pid"]
    running = asyncio.create_task(mode.run(await call_of(mode, SLOW)))
    await until(lambda: mode.facts()["zygote_pid"] != first)
    assert value_of(await running) == "slept"
    await until(lambda: not Path(f"/proc/{first}").exists())


async def test_an_attack_renews_the_zygote_and_names_the_tenant(opened: Open) -> None:
    mode = await opened()
    first = mode.facts()["zygote_pid"]
    with capture_logs() as said:
        outcome = await mode.run(msgspec.structs.replace(breakout_call(ATTACK), function=FUNCTION))
    assert outcome.error_type == "SandboxViolation"
    (line,) = [line for line in said if line["event"] == "sandbox violation"]
    assert (line["tenant"], line["function"], line["task_id"]) == ("attacker", FUNCTION.slug, "attack")
    assert mode.facts()["violations"] == {"attacker": 1}
    assert mode.facts()["counts"]["violation"] == 1
    await until(lambda: mode.facts()["zygote_pid"] != first)


async def test_many_attacks_do_not_renew_it_each_time(opened: Open) -> None:
    mode = await opened(renewal_gap_s=60)
    for number in range(5):
        await mode.run(breakout_call(f"{ATTACK}  # {number}"))
    await until(lambda: mode.facts()["zygote_starts"] == 2)
    assert value_of(await mode.run(await call_of(mode, QUICK))) == "ok"
    assert mode.facts()["zygote_starts"] == 2
