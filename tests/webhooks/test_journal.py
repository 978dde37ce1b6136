"""What is written down of every request at a webhook: with its reason, within its bounds, and behind the answer."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from services.triggers.config import Triggers
from services.triggers.kinds.webhook.journal import Journal
from shared.store.attempts import Attempt, Attempts
from shared.store.client import Store
from tests.platform import Platform
from tests.webhooks.receiver import SECRET, WITHIN_S, Hook, Receiver, standard, told
from tests.webhooks.test_deliveries import FUNCTION


async def _attempts(receiver: Receiver, hook: Hook, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(WITHIN_S):
        while True:
            answer = await receiver.owner.get(f"/v1/{receiver.app}/functions/{hook.name}/webhook/attempts")
            found: list[dict[str, Any]] = told(answer, 200)["attempts"]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)


async def test_every_attempt_is_written_down(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret=SECRET, allowed_sources="standard")
    lines = standard(b"{}", id="msg_seen")
    task_id = told(await receiver.send(hook, b"{}", **lines), 200)["task_id"]
    await receiver.send(hook, b"{}", **lines)
    await receiver.send(hook, b"{ }", **lines)
    await receiver.send(hook, b"{}", x_github_event="ping", x_hub_signature_256="sha256=00")
    await receiver.send(hook, b"x" * 300_000, **lines)
    found = [
        (one["verdict"], one["status"], one["source"], one["deliveryId"], one["taskId"], one["ip"])
        for one in reversed(await _attempts(receiver, hook, 5))
    ]
    assert found == [
        ("accepted", 200, "standard", "msg_seen", task_id, "127.0.0.1"),
        ("duplicate", 200, "standard", "msg_seen", task_id, "127.0.0.1"),
        ("rejected", 401, "standard", None, None, "127.0.0.1"),
        ("not_allowed", 403, "github", None, None, "127.0.0.1"),
        ("too_large", 413, "standard", None, None, "127.0.0.1"),
    ]
    reasons = [one["reason"] for one in await _attempts(receiver, hook, 5)]
    assert all(reasons[:3])
    assert SECRET not in str(reasons)


async def test_all_are_counted_by_bounded_names(receiver: Receiver, hooked: Platform) -> None:
    hook = await receiver.deploy(secret=SECRET)
    await receiver.send(hook, b"{}", **standard(b"{}"))
    await receiver.send(hook, b"{}", x_anything="at all")
    await receiver.send("/v1/nowhere/webhook/none", b"{}")
    async with httpx.AsyncClient() as http:
        text = (await http.get(hooked.ready["services"]["triggers"]["metrics"])).text
    for source, verdict in (("standard", "accepted"), ("none", "rejected"), ("none", "nowhere")):
        assert f'shoal_webhooks_total{{source="{source}",verdict="{verdict}"}}' in text


def _attempt(number: int, function_id: int = FUNCTION.id) -> Attempt:
    return Attempt(
        function_id=function_id, at=datetime.now(UTC), source="none", verdict="accepted", delivery_id=f"{number}"
    )


@pytest.fixture
async def written(hooked_store: Store) -> Attempts:
    """What is written down of the function, of which nothing is."""
    attempts = Attempts(hooked_store, FUNCTION.tenant)
    await attempts.delete_of(FUNCTION.id)
    await attempts.delete_of(FUNCTION.id + 1)
    return attempts


async def test_what_is_left_is_written_at_the_end(hooked_store: Store, written: Attempts) -> None:
    journal = Journal(hooked_store, Triggers(attempts_a_minute=5000))
    async with journal.kept():
        for number in range(1200):
            journal.note(FUNCTION, _attempt(number))
    found = await written.listed(FUNCTION.id, limit=2000)
    assert {one.delivery_id for one in found} == {str(number) for number in range(1200)}
    assert len(found) == 1200
    assert len(journal) == 0


async def test_a_function_has_so_many_a_minute(hooked_store: Store, written: Attempts) -> None:
    journal = Journal(hooked_store, Triggers(attempts_a_minute=3))
    other = msgspec.structs.replace(FUNCTION, id=FUNCTION.id + 1)
    async with journal.kept():
        for number in range(10):
            journal.note(FUNCTION, _attempt(number))
            journal.note(other, _attempt(number, other.id))
    for id in (FUNCTION.id, other.id):
        assert len(await written.listed(id, limit=100)) in range(3, 7)  # a minute may have ended in between


async def test_a_store_that_is_away_delays_nobody_and_loses_what_is_over_the_bound() -> None:
    store = Store("mongodb://127.0.0.1:1/", database="shoal", timeout_s=0.3)
    journal = Journal(store, Triggers(attempts_queue=50))
    async with journal.kept():
        for number in range(200):
            journal.note(FUNCTION, _attempt(number))
        assert len(journal) == 50
    store.close()


async def test_what_was_not_written_waits_for_the_store(hooked_store: Store, written: Attempts) -> None:
    class Flaky(Journal):
        faults = 2

        async def _write(self) -> None:
            if self.faults:
                self.faults -= 1
                self._store = Store("mongodb://127.0.0.1:1/", database="shoal", timeout_s=0.2)
                try:
                    await super()._write()
                finally:
                    self._store.close()
                    self._store = hooked_store
            await super()._write()

    journal = Flaky(hooked_store, Triggers())
    async with journal.kept(), asyncio.timeout(WITHIN_S):
        journal.note(FUNCTION, _attempt(1))
        journal.note(FUNCTION, _attempt(2))
        while len(await written.listed(FUNCTION.id, limit=10)) < 2:
            await asyncio.sleep(0.05)
    assert sorted(one.delivery_id for one in await written.listed(FUNCTION.id, limit=10)) == ["1", "2"]
