"""What callbacks are signed with: shown to administrators, replaced with an overlap, sealed, lost with its key."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.executor.config import Executor
from services.executor.modes.system.callback import Callbacks, Told
from shared import config, egress, rotation
from shared.callback_secrets import CallbackSecrets
from shared.domain.callback import SLUG
from shared.domain.problem import Problem
from shared.secrets import Keyring, SealBrokenError
from shared.store import callback_secrets as stored
from shared.store import indexes, tenants
from shared.store.client import Store
from shared.submit import new_task_id
from shared.system import Context, Failure, Retryable
from tests.callbacks.asking import call, came, secret_of
from tests.callbacks.conftest import Make
from tests.callbacks.receiver import Receiver, verified
from tests.people import shoal, stranger_to
from tests.platform import Platform

OLD, NEW = Keyring([b"o" * 32]), Keyring([b"n" * 32])
BOTH = Keyring([b"n" * 32, b"o" * 32])


async def test_it_is_made_once(platform: Platform, client: httpx.AsyncClient):
    answers = await asyncio.gather(*(client.get("/api/callbacks/secret/") for _ in range(10)))
    (shown,) = {answer.text for answer in answers}
    assert answers[0].json()["secret"].startswith("whsec_")
    async with stranger_to(platform) as stranger:
        assert await secret_of(stranger) not in shown


async def test_both_sign_while_they_overlap(platform: Platform, make: Make, receiver: Receiver):
    async with stranger_to(platform) as client:
        slug = await make(via=client, callback_url=receiver.url("rotated"))
        first = await secret_of(client)
        rotated = await client.post("/api/callbacks/secret/rotate/", json={"overlap_s": 3600})
        body = rotated.json()
        second = body["secret"]
        assert [one["secret"] for one in body["secrets"]] == [second, first]
        until, since = body["secrets"][1]["expires_at"], body["secrets"][0]["created_at"]
        assert (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds() == pytest.approx(
            3600, abs=1
        )
        assert body["secrets"][0]["expires_at"] is None
        assert (await client.get("/api/callbacks/secret/")).json() == body
        await call(client, slug)
        (posted,) = await came(receiver, "rotated")
        assert len(posted.headers["webhook-signature"].split(" ")) == 2
        assert verified(posted, first)
        assert verified(posted, second)
        ended = await client.post("/api/callbacks/secret/rotate/", json={"overlap_s": 0})
        assert len(ended.json()["secrets"]) == 1
        await call(client, slug)
        _, posted = await came(receiver, "rotated", 2)
        assert verified(posted, ended.json()["secret"])
        assert not verified(posted, second)


async def test_a_rotation_needs_no_body_and_refuses_what_is_none(platform: Platform):
    async with stranger_to(platform) as client:
        assert (await client.post("/api/callbacks/secret/rotate/")).status_code == 200
        for overlap in (-1, 30 * 86_400 + 1, "60", 1.5):
            answer = await client.post("/api/callbacks/secret/rotate/", json={"overlap_s": overlap})
            assert answer.status_code == 400, overlap


async def test_the_operator_sees_it_and_replaces_it(platform: Platform, client: httpx.AsyncClient):
    async def told(*options: str) -> Any:
        command = ("tenant", "callback-secret", "default", *options, "--json")
        code, out, errors = await shoal(*command, data_dir=platform.data_dir)
        assert (code, errors) == (0, "")
        return json.loads(out)

    shown = await told()
    assert shown["secret"] == await secret_of(client)
    rotated = await told("--rotate", "--overlap-s", "60")
    assert rotated["secret"] == await secret_of(client) != shown["secret"]
    assert [one["secret"] for one in rotated["secrets"]] == [rotated["secret"], shown["secret"]]


@pytest.fixture
async def store(platform: Platform) -> AsyncIterator[Store]:
    """A database of its own."""
    store = Store(platform.ready["mongodb"], database="callback-secrets")
    await indexes.ensure(store)
    yield store
    await store.global_delete(stored.COLLECTION, {})
    store.close()


async def test_without_the_operators_key_it_says_so(store: Store):
    with pytest.raises(Problem, match="SHOAL_SECRET_KEY"):
        await CallbackSecrets(store, Keyring([])).of("acme")
    await CallbackSecrets(store, NEW).of("acme")
    with pytest.raises(Problem, match="SHOAL_SECRET_KEY"):
        await CallbackSecrets(store, Keyring([])).rotate("acme", overlap_s=0)
    with pytest.raises(Problem, match="the operator's key that sealed them is not at hand"):
        await CallbackSecrets(store, OLD).of("acme")


async def test_it_is_sealed_for_its_tenant_and_sealed_anew(store: Store):
    for tenant in ("acme", "rival"):
        await CallbackSecrets(store, OLD).of(tenant)
    before = await CallbackSecrets(store, OLD).of("acme")
    sealed = await stored.CallbackSecrets(store, "acme").sealed()
    assert before.secrets[0].secret not in sealed
    assert (await rotation.status(store)).left["callback_secrets.sealed"] == {OLD.first: 2}
    report = await rotation.rotate(store, BOTH)
    assert (report.resealed, report.faults) == ({"callback_secrets.sealed": 2}, [])
    assert await CallbackSecrets(store, NEW).of("acme") == before
    with pytest.raises(SealBrokenError):
        NEW.unseal(await stored.CallbackSecrets(store, "rival").sealed(), place="callbacks/acme/secrets")


async def test_what_cannot_be_opened_is_replaced(store: Store):
    await CallbackSecrets(store, OLD).of("acme")
    rotated = await CallbackSecrets(store, NEW).rotate("acme", overlap_s=60)
    assert len(rotated.secrets) == 1
    assert await CallbackSecrets(store, NEW).of("acme") == rotated


async def test_rotations_at_once_lose_none(store: Store):
    secrets = CallbackSecrets(store, NEW)
    rotated = await asyncio.gather(*(secrets.rotate("acme", overlap_s=60) for _ in range(5)))
    newest = {one.secrets[0].secret for one in rotated}
    assert {one.secret for one in (await secrets.of("acme")).secrets} == newest
    assert len(newest) == 5


async def test_it_goes_with_its_tenant(store: Store):
    await tenants.keep(store, "leaving")
    await CallbackSecrets(store, NEW).of("leaving")
    await tenants.delete(store, "leaving")
    assert await stored.CallbackSecrets(store, "leaving").sealed() == ""


def test_no_service_writes_it_into_its_log(platform: Platform):
    assert "whsec_" not in platform.log.read_text()


async def deliver(store: Store, keyring: Keyring, *, tenant: str, task_id: str, attempt: int = 1) -> Any:
    """One try to tell somebody who is not there."""
    platform = config.Platform(nats_url="", mongodb_url="", egress_private=True)
    async with egress.open_client(platform, timeout_s=1) as client:
        callbacks = Callbacks(store, CallbackSecrets(store, keyring), client, executor=Executor())
        context = Context(task_id=new_task_id(), tenant=tenant, function=SLUG, attempt=attempt)
        return await callbacks.deliver(Told(task_id=task_id, url="http://127.0.0.1:1/"), context)


async def test_without_a_key_a_callback_waits_for_it(store: Store):
    task_id = new_task_id()
    now = datetime.now(UTC)
    record = {"id": 1, "function_id": 1, "function_name": "F", "function_slug": "f", "trigger_type": "api"}
    await store.table("invocations", "acme").insert({"_id": task_id, "status": "SUCCESS", "created_at": now, **record})
    for keyring, error in ((Keyring([]), "NotSigned"), (NEW, "ReceiverUnavailable")):
        with pytest.raises(Retryable) as caught:
            await deliver(store, keyring, tenant="acme", task_id=task_id)
        assert caught.value.error_type == error
    with pytest.raises(Retryable) as caught:
        await deliver(store, OLD, tenant="acme", task_id=task_id)
    assert "not at hand" in caught.value.message
    await store.global_delete("invocations", {})


async def test_nothing_is_told_of_another_tenants_or_of_what_has_not_ended(store: Store):
    """It is looked for a few times: it may be that a record is being restored."""
    now, task_ids = datetime.now(UTC), [new_task_id(), new_task_id()]
    for number, (task_id, tenant) in enumerate(zip(task_ids, ("rival", "acme"), strict=True)):
        record = {"id": number, "function_id": 1, "function_name": "F", "function_slug": "f", "trigger_type": "api"}
        status = "SUCCESS" if tenant == "rival" else "STARTED"
        document = {"_id": task_id, "status": status, "created_at": now, **record}
        await store.table("invocations", tenant).insert(document)
    for task_id in (*task_ids, new_task_id()):
        for attempt, last in ((1, False), (5, False), (6, True)):
            with pytest.raises(Failure) as caught:
                await deliver(store, NEW, tenant="acme", task_id=task_id, attempt=attempt)
            assert (caught.value.error_type, isinstance(caught.value, Retryable)) == ("NoRecord", not last)
    await store.global_delete("invocations", {})
