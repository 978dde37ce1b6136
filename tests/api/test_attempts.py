"""Attempts at webhooks, as they are stored: the newest first, cut off where long, gone with what they are of."""

from datetime import UTC, datetime, timedelta

import httpx

from shared.store import tenants
from shared.store.attempts import MAX_TEXT, Attempt, Attempts
from shared.store.client import Store
from tests.conftest import Deploy

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEPT_S = 100 * 365 * 86_400.0  # from whatever day it is: none goes while it is looked at


def attempt(function_id: int, number: int, **fields: str) -> Attempt:
    at = NOW + timedelta(seconds=number)
    return Attempt(function_id=function_id, at=at, source="stripe", verdict="accepted", status=202, **fields)


async def test_they_are_listed_by_function_the_newest_first(store: Store):
    ours, others = Attempts(store, "attempts-a"), Attempts(store, "attempts-b")
    made = [attempt(7, number, delivery_id=f"evt_{number}", task_id="t", ip="10.0.0.1") for number in range(5)]
    await ours.insert([made[2], made[0], *made[3:], made[1], attempt(8, 9)], kept_s=KEPT_S)
    await others.insert([attempt(7, 9)], kept_s=KEPT_S)
    await ours.insert([], kept_s=KEPT_S)
    assert await ours.listed(7, limit=3) == [made[4], made[3], made[2]]
    assert await ours.listed(7, limit=3, before=made[2].at) == [made[1], made[0]]
    assert await ours.listed(9, limit=3) == []
    await ours.delete_of(7)
    assert (await ours.listed(7, limit=9), len(await ours.listed(8, limit=9))) == ([], 1)
    assert len(await others.listed(7, limit=9)) == 1


async def test_what_a_sender_wrote_is_kept_as_far_as_it_can_be(store: Store):
    attempts = Attempts(store, "attempts-c")
    await attempts.insert([attempt(1, 1, delivery_id="x" * 5000, reason="half \ud800 a pair")], kept_s=KEPT_S)
    [found] = await attempts.listed(1, limit=9)
    assert (len(found.delivery_id), found.reason) == (MAX_TEXT, "half ? a pair")


async def test_each_goes_by_itself_so_long_after_it_was_made(store: Store):
    await Attempts(store, "attempts-d").insert([attempt(1, 1)], kept_s=30.0)
    found = await store.global_one("attempts", {"tenant": "attempts-d"})
    if found is not None:  # the server may have been faster: it is long over
        assert found["expires_at"] == NOW + timedelta(seconds=31)


async def test_they_go_with_their_function_and_with_their_tenant(
    client: httpx.AsyncClient, deploy: Deploy, store: Store
):
    slug = await deploy()
    id = int((await client.get(f"/api/functions/{slug}/")).json()["id"])
    attempts = Attempts(store, "default")
    await attempts.insert([attempt(id, number) for number in range(3)], kept_s=KEPT_S)
    assert len(await attempts.listed(id, limit=9)) == 3
    assert (await client.delete(f"/api/functions/{slug}/")).status_code == 204
    assert await attempts.listed(id, limit=9) == []
    await tenants.add(store, "attempts-e")
    await Attempts(store, "attempts-e").insert([attempt(1, 1)], kept_s=KEPT_S)
    await tenants.delete(store, "attempts-e")
    assert await Attempts(store, "attempts-e").listed(1, limit=9) == []
