"""Event sources over HTTP: what they may be told, who may tell them, and what nobody is shown."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx
import pytest

from shared import rotation
from shared.secrets import Keyring, key_of
from shared.store import tenants
from shared.store.client import Store
from tests import people
from tests.platform import Platform

SECRET = "a secret that nobody is shown"
S3 = {"endpoint_url": "https://s3.example.org", "access_key_id": "AKIA1"}
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/uploads"
ACCESS = {"region": "eu-central-1", "access_key_id": "AKIA1"}
SQS = {"queue_url": QUEUE, "access": ACCESS}
SNS = {"format": "sns", "topics": ["arn:aws:sns:us-east-1:123456789012:uploads"]}
POLL = {"s3": S3, "buckets": ["photos"]}
MINIO = {"format": "minio"}
_numbers = count(1)


class Tenant:
    """A tenant of a test's own."""

    def __init__(self, store: Store, platform: Platform, slug: str) -> None:
        self.store = store
        self.platform = platform
        self.slug = slug

    async def client(self, role: Any = "developer") -> httpx.AsyncClient:
        account = await people.account(self.store, role, tenant=self.slug, role=role)
        headers = {"Authorization": f"Bearer {await people.token_for(self.store, account)}"}
        hooks = self.platform.client().event_hooks
        return httpx.AsyncClient(base_url=self.platform.url, headers=headers, timeout=30, event_hooks=hooks)


@pytest.fixture(scope="module")
async def kept(platform: Platform) -> AsyncIterator[Store]:
    """The platform's own store."""
    store = Store(platform.ready["mongodb"], database="shoal")
    yield store
    store.close()


@pytest.fixture
async def tenant(kept: Store, platform: Platform) -> Tenant:
    return Tenant(kept, platform, f"pond-{next(_numbers)}")


@pytest.fixture
async def http(tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    async with await tenant.client() as client:
        yield client


async def create(http: httpx.AsyncClient, kind: str, config: dict[str, Any], **secrets: str) -> httpx.Response:
    body = {"name": f"s-{next(_numbers)}", "kind": kind, "config": config, "secrets": secrets}
    return await http.post("/api/event-sources/", json=body)


async def made(http: httpx.AsyncClient, kind: str, config: dict[str, Any], **secrets: str) -> dict[str, Any]:
    answer = await create(http, kind, config, **secrets)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def document(tenant: Tenant, name: str) -> dict[str, Any]:
    found = await tenant.store.table("event_sources", tenant.slug).one({"name": name})
    assert found is not None
    return found


async def test_a_source_from_beginning_to_end(http: httpx.AsyncClient, tenant: Tenant):
    body = {"name": "uploads", "kind": "sqs", "config": SQS, "secrets": {"secret_access_key": SECRET}, "enabled": False}
    answer = await http.post("/api/event-sources/", json=body)
    assert answer.status_code == 201
    assert SECRET not in answer.text
    source = answer.json()
    assert source["public_id"].startswith("src_")
    assert len(source["public_id"]) == 24
    status = {"state": "stopped", "since": None, "error": "", "owner": "", "last_event_at": None, "events": 0}
    assert source == {
        "name": "uploads", "public_id": source["public_id"], "kind": "sqs", "enabled": False, "config": SQS,
        "secrets": {"secret_access_key": "***"}, "url": None, "status": status, "token": None,
        "created_at": source["created_at"], "updated_at": source["updated_at"],
    }  # fmt: skip
    del source["token"]
    assert (await http.get("/api/event-sources/uploads/")).json() == source
    listed = (await http.get("/api/event-sources/")).json()
    assert (listed["count"], listed["results"]) == (1, [source])
    sealed = (await document(tenant, "uploads"))["secrets"]["secret_access_key"]
    assert SECRET not in sealed
    assert key_of(sealed)
    assert (await http.post("/api/event-sources/", json=body)).json()["details"].keys() == {"name"}
    assert (await http.delete("/api/event-sources/uploads/")).status_code == 204
    assert (await http.get("/api/event-sources/uploads/")).status_code == 404
    assert (await http.delete("/api/event-sources/uploads/")).status_code == 404


async def test_secrets_are_kept_replaced_and_deleted_one_by_one(http: httpx.AsyncClient, tenant: Tenant):
    config = {**SQS, "s3": S3}
    name = (await made(http, "sqs", config, secret_access_key=SECRET, s3_secret_access_key=SECRET))["name"]
    path = f"/api/event-sources/{name}/"
    before = (await document(tenant, name))["secrets"]
    shown = (await http.get(path)).json()
    assert shown["secrets"] == {"secret_access_key": "***", "s3_secret_access_key": "***"}
    changed = await http.patch(path, json={"config": shown["config"], "secrets": shown["secrets"]})
    assert changed.status_code == 200
    assert (await document(tenant, name))["secrets"] == before
    changed = await http.patch(path, json={"secrets": {"secret_access_key": "another"}})
    after = (await document(tenant, name))["secrets"]
    assert after["s3_secret_access_key"] == before["s3_secret_access_key"]
    assert after["secret_access_key"] != before["secret_access_key"]
    refused = await http.patch(path, json={"secrets": {"s3_secret_access_key": None}})
    assert refused.json()["details"].keys() == {"secrets.s3_secret_access_key"}
    changed = await http.patch(path, json={"config": SQS, "secrets": {"s3_secret_access_key": None}})
    assert changed.json()["secrets"] == {"secret_access_key": "***"}
    refused = await http.patch(path, json={"secrets": {"s3_secret_access_key": "***"}})
    assert refused.json()["details"].keys() == {"secrets.s3_secret_access_key"}


async def test_a_token_is_shown_once_and_rotated(http: httpx.AsyncClient, tenant: Tenant, platform: Platform):
    source = await made(http, "http", MINIO)
    first, path = source["token"], f"/api/event-sources/{source['name']}/"
    assert source["url"] == f"{platform.url}/events/{source['public_id']}"
    assert len(first) > 40
    shown = await http.get(path)
    assert first not in shown.text
    assert "token" not in shown.json()
    assert shown.json()["secrets"] == {"token": "***"}
    rotated = await http.post(f"{path}rotate-token/")
    assert rotated.status_code == 200
    assert rotated.json()["token"] not in ("", None, first)
    assert (await document(tenant, source["name"]))["revision"] == 2
    refused = await http.patch(path, json={"secrets": {"token": None}})
    assert refused.json()["details"].keys() == {"secrets.token"}
    own = await made(http, "http", MINIO, token="chosen-by-oneself")
    assert own["token"] is None
    for kind, config in (("http", SNS), ("poll", {"s3": {}, "buckets": ["photos"]})):
        other = await made(http, kind, config)
        assert other["token"] is None
        assert (await http.post(f"/api/event-sources/{other['name']}/rotate-token/")).status_code == 400


@pytest.mark.parametrize(
    ("kind", "config", "secrets", "field"),
    [
        ("sqs", {}, {}, "config.queue_url"),
        ("sqs", {**SQS, "queue": 1}, {}, "config.queue"),
        ("sqs", SQS, {}, "secrets.secret_access_key"),
        ("sqs", {"queue_url": QUEUE}, {"secret_access_key": "x"}, "config.access.access_key_id"),
        ("sqs", {"queue_url": QUEUE}, {}, "config.access.region"),
        ("sqs", {**SQS, "queue_url": "ftp://example.org/q"}, {"secret_access_key": "x"}, "config.queue_url"),
        ("sqs", {**SQS, "queue_url": "https://me:pw@example.org/q"}, {"secret_access_key": "x"}, "config.queue_url"),
        ("sqs", {**SQS, "access": {**ACCESS, "region": 1}}, {"secret_access_key": "x"}, "config.access.region"),
        (
            "sqs",
            {**SQS, "access": {**ACCESS, "region": "@x.example/#"}},
            {"secret_access_key": "x"},
            "config.access.region",
        ),
        (
            "sqs",
            {**SQS, "access": {**ACCESS, "access_key_id": "a\r\nb: c"}},
            {"secret_access_key": "x"},
            "config.access.access_key_id",
        ),
        ("sqs", {**SQS, "s3": {"endpoint_url": "nowhere://x"}}, {"secret_access_key": "x"}, "config.s3.endpoint_url"),
        ("sqs", SQS, {"secret_access_key": "x", "s3_secret_access_key": "x"}, "secrets.s3_secret_access_key"),
        ("sqs", SQS, {"secret_access_key": "x", "password": "x"}, "secrets.password"),
        ("sqs", SQS, {"secret_access_key": "***"}, "secrets.secret_access_key"),
        ("sqs", SQS, {"secret_access_key": "line\nbreak"}, "secrets[...]"),
        ("http", {}, {}, "config.format"),
        ("http", {"format": "ceph"}, {}, "config.format"),
        ("http", {"format": "sns"}, {}, "config.topics"),
        ("http", {**SNS, "topics": ["arn:aws:sqs:x"]}, {}, "config.topics[0]"),
        ("http", SNS, {"token": "chosen-by-oneself"}, "secrets.token"),
        ("http", {**MINIO, "topics": SNS["topics"]}, {}, "config.topics"),
        ("http", MINIO, {"token": "short"}, "secrets.token"),
        ("http", {"format": "seaweedfs"}, {}, "config.s3"),
        ("http", {"format": "seaweedfs", "s3": {}}, {}, "config.buckets"),
        ("http", {**MINIO, "buckets": ["photos"]}, {}, "config.s3"),
        ("http", {"format": "eventbridge", "s3": {}, "buckets": ["photos"]}, {}, "config.buckets"),
        ("nats", {"url": "http://example.org", "subject": "s"}, {}, "config.url"),
        ("nats", {"url": "nats://example.org", "subject": "s", "user": "u"}, {}, "secrets.password"),
        ("nats", {"url": "nats://example.org", "subject": "s"}, {"password": "x"}, "config.user"),
        ("poll", POLL, {}, "secrets.s3_secret_access_key"),
        ("poll", {"s3": {}, "buckets": []}, {}, "config.buckets"),
        ("poll", {"s3": {}, "buckets": ["x"]}, {}, "config.buckets[0]"),
        ("poll", {"s3": {}, "buckets": ["photos"], "interval_s": 0}, {}, "config.interval_s"),
        ("ftp", {}, {}, "kind"),
    ],
)
async def test_what_could_not_work_is_refused_with_its_place(  # noqa: PLR0917 - what pytest is asked for
    http: httpx.AsyncClient, kind: str, config: dict[str, Any], secrets: dict[str, str], field: str
):
    answer = await create(http, kind, config, **secrets)
    assert answer.status_code == 400, answer.text
    assert answer.json()["details"].keys() == {field}
    assert "pw" not in answer.text


async def test_developers_keep_sources_and_users_see_them(tenant: Tenant, http: httpx.AsyncClient):
    source = await made(http, "http", SNS)
    path = f"/api/event-sources/{source['name']}/"
    async with await tenant.client("user") as user:
        assert (await user.get(path)).status_code == 200
        assert (await user.get("/api/event-sources/")).json()["count"] == 1
        assert (await create(user, "http", SNS)).status_code == 403
        assert (await user.patch(path, json={"enabled": False})).status_code == 403
        assert (await user.post(f"{path}rotate-token/")).status_code == 403
        assert (await user.delete(path)).status_code == 403
    async with await tenant.client("admin") as admin:
        assert (await admin.patch(path, json={"enabled": False})).status_code == 200
    async with httpx.AsyncClient(base_url=str(http.base_url)) as nobody:
        assert (await nobody.get(path)).status_code == 401


async def test_another_tenants_source_is_nobodys(tenant: Tenant, http: httpx.AsyncClient, kept: Store):
    source = await made(http, "http", SNS)
    path = f"/api/event-sources/{source['name']}/"
    async with await Tenant(kept, tenant.platform, f"{tenant.slug}-beside").client() as stranger:
        assert (await stranger.get(path)).status_code == 404
        assert (await stranger.patch(path, json={"enabled": False})).status_code == 404
        assert (await stranger.post(f"{path}rotate-token/")).status_code == 404
        assert (await stranger.delete(path)).status_code == 404
        assert (await stranger.get("/api/event-sources/")).json()["count"] == 0
        same = {"name": source["name"], "kind": "http", "config": SNS}
        assert (await stranger.post("/api/event-sources/", json=same)).status_code == 201
    assert (await http.get(path)).json()["enabled"] is True


async def test_changes_side_by_side_all_count(http: httpx.AsyncClient, tenant: Tenant):
    name = (await made(http, "http", SNS))["name"]
    path = f"/api/event-sources/{name}/"
    answers = await asyncio.gather(*(http.patch(path, json={"enabled": bool(number % 2)}) for number in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert (await document(tenant, name))["revision"] == 9


async def test_a_tenant_has_a_bounded_number(http: httpx.AsyncClient, tenant: Tenant):
    source = await made(http, "http", SNS)
    one = await document(tenant, source["name"])
    copies = [
        one | {"_id": name, "id": -number, "name": name, "public_id": name, "enabled": False}
        for number in range(1, 100)
        for name in [f"copy-{number}-{tenant.slug}"]
    ]
    await tenant.store.add_new("event_sources", copies)
    refused = await create(http, "http", SNS)
    assert refused.status_code == 400
    assert "100 event sources" in refused.json()["error"]
    await tenant.store.table("event_sources", tenant.slug).delete({"enabled": False})
    assert (await create(http, "http", SNS)).status_code == 201


async def test_sources_go_with_their_tenant(http: httpx.AsyncClient, tenant: Tenant, kept: Store):
    await made(http, "http", SNS)
    await tenants.delete(kept, tenant.slug)
    assert await kept.table("event_sources", tenant.slug).count({}) == 0


async def test_secrets_of_sources_are_sealed_anew_under_another_key(store: Store):
    """In a store of its own: the platform's key stays."""
    old, new = Keyring([b"o" * 32]), Keyring([b"n" * 32])
    place = "source/acme/1/token"
    values = {"id": 1, "name": "s", "public_id": "src_1", "secrets": {"token": old.seal(b"t", place=place)}}
    await store.table("event_sources", "acme").insert(values)
    report = await rotation.rotate(store, Keyring([b"n" * 32, b"o" * 32]))
    assert report.resealed["event_sources.secrets"] == 1
    found = await store.table("event_sources", "acme").one({"id": 1})
    assert found is not None
    assert new.unseal(found["secrets"]["token"], place=place) == b"t"


async def test_a_tenant_has_no_more_of_them_however_many_are_made_at_once(http: httpx.AsyncClient):
    answers = await asyncio.gather(*(create(http, "http", MINIO) for _ in range(120)))
    assert {answer.status_code for answer in answers} == {201, 400}
    made = (await http.get("/api/event-sources/")).json()["count"]
    assert made == sum(answer.status_code == 201 for answer in answers)
    assert made <= 100
