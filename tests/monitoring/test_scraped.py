"""A real Prometheus scrapes a running Shoal: every panel has something to show, and every rule can be worked out."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest

from shared.bus import broker
from shared.store.client import Store
from tests.hooks import serving
from tests.monitoring.doings import TENANT, Doings
from tests.monitoring.prometheus import Prometheus, scraping
from tests.monitoring.rules import queries
from tests.platform import Platform, running

WITHIN_S = 120.0

# What has happened has to be there, and more than 0: without its labels spelled wrong, or its count at another place.
HAPPENED = [
    *(f'shoal_invocations_accepted_total{{trigger="{kind}"}}' for kind in ("api", "http", "schedule", "webhook")),
    'shoal_invocations_accepted_total{trigger="websocket"}',
    *(
        f'shoal_invocations_finished_total{{mode="{mode}", status="SUCCESS"}}'
        for mode in ("python", "javascript", "proxy", "system")
    ),
    'shoal_invocations_finished_total{status="FAILURE"}',
    "shoal_invocations_failed_total",
    *(f'shoal_stage_seconds_count{{stage="{stage}"}}' for stage in ("routed", "picked", "started", "done", "recorded")),
    "shoal_attempts_retried_total",
    "shoal_dead_letters_total",
    "shoal_dead_letters_kept",
    'shoal_worker_starts_total{kind!="warm"}',
    "shoal_schedule_ticks_total",
    "shoal_schedule_lateness_seconds_count",
    'shoal_webhooks_total{source="standard", verdict="accepted"}',
    'shoal_webhooks_total{verdict="rejected"}',
    "shoal_frames_total",
    "shoal_http_requests_total",
    "shoal_events_recorded_total",
    "shoal_stream_messages",
    "shoal_slots",
    "shoal_workers",
]


class Watched(NamedTuple):
    platform: Platform
    prometheus: Prometheus
    doings: Doings


@pytest.fixture(scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    """Shoal and Prometheus, running, and functions to be called."""
    folder: Path = tmp_path_factory.mktemp("watched")
    async with (
        serving() as hook,
        running(folder / "data", SHOAL_EGRESS_ALLOW="127.0.0.1/32") as platform,
        platform.client() as client,
        broker.connect(platform.ready["nats"], name="test", timeout_s=5) as bus,
        scraping(folder / "prometheus", folder / "data" / "prometheus.json") as prometheus,
    ):
        store = Store(platform.ready["mongodb"], database="shoal")
        doings = Doings(platform, client, bus=bus, store=store, hook=hook)
        await doings.begin()
        yield Watched(platform, prometheus, doings)
        await doings.end()
        store.close()


async def until(watched: Watched, exprs: dict[str, str], *, above: float = -1.0) -> None:
    """Let things happen again and again, until every expression has a value above the bound."""
    missing = dict(exprs)
    try:
        async with asyncio.timeout(WITHIN_S):
            while missing:
                await watched.doings.once_more()
                for name, expr in list(missing.items()):
                    if any(value > above for value in await watched.prometheus.values(expr)):
                        del missing[name]
    except TimeoutError:
        pytest.fail("\n".join(f"{name}: {expr}" for name, expr in missing.items()))


async def test_all_services_are_found_and_scraped(watched: Watched) -> None:
    await until(
        watched, {name: f'up{{job="shoal", service="{name}"}}' for name in watched.platform.ready["services"]}, above=0
    )


async def test_what_has_happened_is_counted(watched: Watched) -> None:
    await until(watched, {expr: expr for expr in HAPPENED}, above=0)


@pytest.mark.parametrize("chosen", ["all", "one"])
async def test_every_panel_has_something_to_show(watched: Watched, chosen: str) -> None:
    tenant, function = (".*", ".*") if chosen == "all" else (TENANT, watched.doings.function)
    exprs = {
        query.name: query.expr.replace("$__rate_interval", "30s")
        .replace("$tenant", tenant)
        .replace("$function", function)
        for query in queries()
        if chosen == "all" or "$tenant" in query.expr
    }
    assert len(exprs) > 20
    assert not [expr for expr in exprs.values() if "$" in expr]
    await until(watched, exprs)


async def test_every_rule_can_be_worked_out(watched: Watched) -> None:
    async with asyncio.timeout(WITHIN_S):
        while any(rule["health"] == "unknown" for rule in await watched.prometheus.rules()):
            await asyncio.sleep(0.2)
    rules = await watched.prometheus.rules()
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []
    # Nothing is wrong here but what was made to fail.
    firing = {rule["name"] for rule in rules if rule.get("state") == "firing"}
    assert firing <= {"ShoalDeadLetters"}


async def test_latencies_lead_to_tasks(watched: Watched) -> None:
    async def named() -> list[str]:
        data = await watched.prometheus.ask("query_exemplars", query="shoal_invocation_seconds_bucket")
        return [each["labels"]["task_id"] for series in data for each in series["exemplars"]]

    async with asyncio.timeout(WITHIN_S):
        while not (tasks := await named()):
            await watched.doings.once_more()
    async with watched.platform.client() as client:
        answer = await client.get(f"/api/functions/result/{tasks[-1]}/")
    assert answer.status_code == 200, answer.text


async def test_who_is_started_anew_is_scraped_as_before(watched: Watched) -> None:
    """Under the same address, which Prometheus was told once."""
    targets = watched.platform.data_dir / "prometheus.json"
    before = targets.read_text()
    await watched.platform.restarted("recorder", watched.platform.kill("recorder"))
    began = 'changes(process_start_time_seconds{service="recorder"}[5m])'
    # The one that is at work now tells of the bus, as the one before did.
    exprs = {"began": began, "bus": 'shoal_stream_messages{service="recorder", stream="EVENTS"}', "up": "min(up)"}
    await until(watched, exprs, above=0)
    assert targets.read_text() == before
