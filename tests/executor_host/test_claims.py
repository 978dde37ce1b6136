"""Claims: one winner, for a while; of each function its own, within bounds, and gone with it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.executor.claiming import Claiming
from services.executor.mode import Call
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem
from shared.store.claims import COLLECTION, Claims
from shared.store.client import Store
from tests.executor_host.platform import TENANT, Shoal, answered

DAY_S = 86_400.0


async def test_of_many_at_once_one_wins(store: Store):
    claims = [Claims(store, TENANT, 1) for _ in range(50)]
    won = await asyncio.gather(*(one.claim("order-7", scope="default", ttl_s=DAY_S) for one in claims))
    assert sorted(won) == [False] * 49 + [True]


async def test_keys_scopes_functions_and_tenants_are_apart(store: Store):
    for tenant, function_id, scope, key in (
        ("acme", 1, "default", "a"),
        ("acme", 1, "default", "b"),
        ("acme", 1, "other", "a"),
        ("acme", 2, "default", "a"),
        ("rival", 1, "default", "a"),
    ):
        claims = Claims(store, tenant, function_id)
        assert await claims.claim(key, scope=scope, ttl_s=DAY_S)
        assert not await claims.claim(key, scope=scope, ttl_s=DAY_S)


async def test_what_ran_out_is_free_at_once_and_has_one_heir(store: Store):
    claims = Claims(store, TENANT, 1)
    assert await claims.claim("a", scope="s", ttl_s=60)
    past = {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}
    await store.table(COLLECTION, TENANT).set_all({"key": "a"}, past)
    won = await asyncio.gather(*(claims.claim("a", scope="s", ttl_s=60) for _ in range(20)))
    assert sorted(won) == [False] * 19 + [True]


@pytest.mark.parametrize(
    ("claim", "field"),
    [
        (("", "s", 60), "key"),
        (("k" * 256, "s", 60), "key"),
        (("\ud800", "s", 60), "key"),
        (("k", "", 60), "scope"),
        (("k", "s" * 101, 60), "scope"),
        (("k", "s", 0.9), "ttl"),
        (("k", "s", 30 * DAY_S + 1), "ttl"),
        (("k", "s", float("nan")), "ttl"),
        (("k", "s", float("inf")), "ttl"),
    ],
)
async def test_what_cannot_be_claimed(store: Store, claim: tuple[str, str, float], field: str):
    key, scope, ttl_s = claim
    with pytest.raises(Problem) as raised:
        await Claims(store, TENANT, 1).claim(key, scope=scope, ttl_s=ttl_s)
    assert (raised.value.code, list(raised.value.fields)) == ("invalid", [field])


async def test_any_text_is_a_key(store: Store):
    claims = Claims(store, TENANT, 1)
    for key in ("k" * 255, "\0", "$where", "a.b", "✓" * 255, " "):
        assert await claims.claim(key, scope="$ne", ttl_s=1)
        assert not await claims.claim(key, scope="$ne", ttl_s=30 * DAY_S)


async def test_a_function_has_no_more_than_may_be(store: Store):
    claiming = Claiming(store, most=3)
    for key in ("a", "b", "c"):
        assert await Claims(store, TENANT, 1).claim(key, scope="s", ttl_s=60)
    with pytest.raises(Problem, match="The function has 3 claims already") as raised:
        await claiming.claim(TENANT, 1, "d", scope="s", ttl_s=60)
    assert raised.value.code == "rate_limited"
    assert await claiming.claim(TENANT, 2, "d", scope="s", ttl_s=60)


async def test_they_go_with_their_function(store: Store):
    claims, others = Claims(store, TENANT, 1), Claims(store, TENANT, 2)
    for one in (claims, others):
        assert await one.claim("a", scope="s", ttl_s=60)
    await claims.delete_all()
    assert (await claims.count(most=10), await others.count(most=10)) == (0, 1)


async def test_a_handler_claims_for_its_own_function(shoal: Shoal):
    async def claiming(call: Call) -> Outcome:
        assert call.host is not None
        return answered(b"first" if await call.host.claim("a", scope="s", ttl_s=60) else b"late")

    one, other = await shoal.function("one", claiming), await shoal.function("other", claiming)
    outcomes = [await shoal.call(function) for function in (one, one, other)]
    assert [outcome.response.body for outcome in outcomes if outcome.response] == [b"first", b"late", b"first"]
    assert await Claims(shoal.store, TENANT, one.id).count(most=10) == 1
