"""What boot refuses, and what ends a service."""

import asyncio
import socket
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from services.executor.config import Executor
from shared import boot, health
from shared.config import ConfigError, Platform

PLATFORM = Platform(nats_url="nats://x", mongodb_url="mongodb://y")


def bus(max_payload: int) -> Any:
    return SimpleNamespace(client=SimpleNamespace(max_payload=max_payload))


def test_a_bus_that_cannot_carry_a_result_is_refused():
    boot._check_carries(bus(8 << 20), PLATFORM, Executor())
    with pytest.raises(ConfigError, match=r"^the bus carries messages of at most 1048576 bytes, and the settings need"):
        boot._check_carries(bus(1 << 20), PLATFORM, object())


def test_an_executor_says_its_output_too():
    largest = msgspec.structs.replace(PLATFORM, output_bytes=1 << 20)
    boot._check_carries(bus(8 << 20), largest, object())
    with pytest.raises(ConfigError, match="SHOAL_OUTPUT_BYTES"):
        boot._check_carries(bus(8 << 20), largest, Executor())


async def test_a_part_that_dies_ends_the_service():
    ending = boot.Ending()

    async def part() -> None:
        raise RuntimeError("broken")

    ending.watch(asyncio.create_task(part(), name="part"))
    async with asyncio.timeout(1):
        await ending.told.wait()
    assert ending.code == 1


async def test_a_part_that_is_stopped_or_done_does_not():
    ending = boot.Ending()
    stopped = asyncio.create_task(asyncio.Event().wait())
    done = asyncio.create_task(asyncio.sleep(0))
    for task in (stopped, done):
        ending.watch(task)
    stopped.cancel()
    await asyncio.wait({stopped, done})
    assert not ending.told.is_set()


def test_a_port_that_is_taken_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"^cannot listen on 127.0.0.1 port {port} \(SHOAL_X_PORT\): Address"):
            health.listen("127.0.0.1", port, setting="SHOAL_X_PORT")


def test_slots_beyond_the_default_processes_have_processes():
    assert (Executor(slots=4).most_processes, Executor(slots=4).most_processes_per_tenant) == (64, 32)
    assert (Executor(slots=100).most_processes, Executor(slots=100).most_processes_per_tenant) == (400, 400)
    assert Executor(slots=100, processes=10).most_processes == 10


async def test_a_check_of_the_service_counts_for_readiness():
    page = health.Page("x")
    page.started = True

    async def yes() -> bool:
        return True

    async def broken() -> bool:
        raise RuntimeError("broken")

    page.checks["bus"] = yes
    assert (await page._answer("/readyz"))[0] == 200
    page.checks["pool"] = broken
    status, _, body = await page._answer("/readyz")
    assert (status, body) == (503, b'{"service":"x","ready":false,"started":true,"bus":true,"pool":false}')
