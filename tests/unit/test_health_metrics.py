"""The page of metrics: in which format, and what it waits for."""

import asyncio

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as classic

from shared.health import Look, Page

ASKS_BOTH = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5"
)


@pytest.fixture
def counted() -> Counter:
    counter = Counter("shoal_test_exemplars", "Of this test", registry=CollectorRegistry())
    REGISTRY.register(counter)
    yield counter
    REGISTRY.unregister(counter)


async def test_exemplars_are_for_who_asks_for_openmetrics(counted: Counter) -> None:
    counted.inc(exemplar={"task_id": "t-1"})
    page = Page("api")
    status, kind, body = await page._answer("/metrics", accept=ASKS_BOTH)
    assert (status, kind.partition(b";")[0]) == (200, b"application/openmetrics-text")
    found = [sample for family in openmetrics(body.decode()) for sample in family.samples if sample.exemplar]
    of_ours = [sample.exemplar.labels for sample in found if sample.name.startswith("shoal_test_exemplars")]
    assert of_ours == [{"task_id": "t-1"}]
    status, kind, body = await page._answer("/metrics")
    assert kind == b"text/plain; version=0.0.4; charset=utf-8"
    assert "shoal_test_exemplars" in {family.name for family in classic(body.decode())}
    assert b"t-1" not in body


async def test_there_is_no_second_series_for_when_each_began() -> None:
    _, _, body = await Page("api")._answer("/metrics")
    assert not [family.name for family in classic(body.decode()) if family.name.endswith("_created")]


async def test_it_is_looked_once_whoever_reads() -> None:
    looked = 0

    async def look() -> None:
        nonlocal looked
        looked += 1

    page = Page("api")
    page.looks.append(Look(look, every_s=3600))
    for _ in range(5):
        await page._answer("/metrics")
    await asyncio.gather(*(page._answer("/metrics") for _ in range(5)))
    assert looked == 1


async def test_a_look_that_takes_long_keeps_nobody_and_is_not_asked_twice() -> None:
    asked, free = 0, asyncio.Event()

    async def look() -> None:
        nonlocal asked
        asked += 1
        await free.wait()

    slow = Look(look, every_s=0)
    await asyncio.gather(*(slow.taken(within_s=0.01) for _ in range(3)))
    assert asked == 1
    waiting = asyncio.ensure_future(slow.taken(within_s=60))
    free.set()
    await waiting
    assert asked == 1
    await slow.taken()
    assert asked == 2


async def test_a_look_that_fails_keeps_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    async def look() -> None:
        raise ValueError("of ours")

    page = Page("api")
    page.looks.append(Look(look))
    status, _, body = await page._answer("/metrics")
    assert status == 200
    assert b"shoal_invocations_accepted_total" in body
