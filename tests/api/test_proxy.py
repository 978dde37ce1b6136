"""PROXY functions end to end: as the specification prints them, their secrets, their attempts."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from shared.bus.broker import Bus
from shared.store import functions as stored_functions
from shared.store.client import Store
from tests.api.conftest import TASK, is_stamp, sentence
from tests.hooks import Hook, Received, always, response, serving
from tests.platform import Platform, running

APP = "/api/apps/hooks/functions/"
SECRET = "your-secret-token"
ZAPIER = "https://hooks.zapier.com/hooks/catch/123456/abcdef/"


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with serving() as hook:
        yield hook


async def make(client: httpx.AsyncClient, url: str, **settings: Any) -> str:
    body = {"name": "Hook", "execution_mode": "proxy", "webhook_url": url, **settings}
    made = await client.post(APP, json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["slug"])


async def call(client: httpx.AsyncClient, slug: str, params: Any = None, **body: Any) -> httpx.Response:
    return await client.post(f"/api/functions/{slug}/execute/", json={"params": params or {}, **body})


async def seen(client: httpx.AsyncClient, task_id: str, *statuses: str) -> dict[str, Any]:
    """The task's result as soon as it has one of the statuses."""
    async with asyncio.timeout(30):
        while True:
            found = (await client.get(f"/api/functions/result/{task_id}/")).json()
            if found["status"] in statuses:
                return dict(found)
            await asyncio.sleep(0.02)


async def test_the_quick_start_is_stored_without_a_call(client: httpx.AsyncClient):
    await client.delete("/api/functions/send-slack-notification/")
    created = await client.post(
        "/api/apps/test-app/functions/",
        json={
            "name": "Send Slack Notification",
            "execution_mode": "proxy",
            "category": "communication",
            "webhook_url": ZAPIER,
            "is_active": True,
        },
    )
    assert created.status_code == 201
    function = created.json()
    assert is_stamp(function.pop("created_at"))
    assert isinstance(function.pop("id"), int)
    assert function == {
        "name": "Send Slack Notification",
        "slug": "send-slack-notification",
        "execution_mode": "proxy",
        "category": "communication",
        "webhook_url": ZAPIER,
        "is_active": True,
    }


async def test_the_payload_is_the_printed_one(client: httpx.AsyncClient, hook: Hook):
    hook.answer = always(response(body=b'{"received": [1, 2.50]}', X_Thing="yes"))
    slug = await make(
        client,
        f"{hook.url}/hooks/catch/?a=1",
        category="integration",
        auth_config={"type": "bearer", "token": SECRET},
        headers={"X-Custom-Header": "value"},
        config={"timeout": 30},
    )
    answer = await call(client, slug, {"user_provided": "parameters"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert TASK.fullmatch(body["task_id"])
    assert body["data"] == body["result"]["result"]
    assert body["data"]["status_code"] == 200
    assert body["data"]["headers"]["x-thing"] == "yes"
    assert body["data"]["body"] == {"received": [1, 2.5]}
    (sent,) = hook.received
    assert (sent.method, sent.path) == ("POST", "/hooks/catch/?a=1")
    assert sent.json == {
        "params": {"user_provided": "parameters"},
        "context": {
            "function": {"name": "Hook", "slug": slug, "category": "integration"},
            "user": {"id": 1, "username": "admin", "email": sent.json["context"]["user"]["email"]},
        },
    }
    assert sent.headers["authorization"] == f"Bearer {SECRET}"
    assert sent.headers["x-custom-header"] == "value"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["x-execution-id"] == sent.headers["idempotency-key"] == body["task_id"]
    assert sent.headers["user-agent"].startswith("Shoal/")


@pytest.mark.parametrize(
    ("body", "params"), [(b'{"a": [1]}', {"a": [1]}), (b"[1]", {}), (b'{"a": "\xff"}', {}), (b"", {})]
)
async def test_a_call_over_http_gives_its_body_as_params(
    client: httpx.AsyncClient, hook: Hook, body: bytes, params: dict[str, Any]
):
    slug = await make(client, hook.url)
    for path in (f"fn/{slug}", f"functions/{slug}/invoke"):
        answer = await client.post(f"/v1/hooks/{path}", content=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["body"] == {"ok": True}
        assert hook.received[-1].json["params"] == params


async def test_secrets_are_masked_and_a_mask_keeps_them(client: httpx.AsyncClient, hook: Hook, store: Store):
    slug = await make(client, hook.url, auth_config={"type": "basic", "username": "ann", "password": "first-word"})
    path = f"/api/functions/{slug}/"
    shown = (await client.get(path)).json()
    assert shown["auth_config"] == {"type": "basic", "username": "ann", "password": "********"}
    changed = await client.patch(path, json={"auth_config": {**shown["auth_config"], "username": "bob"}})
    assert changed.json()["auth_config"] == {"type": "basic", "username": "bob", "password": "********"}
    await call(client, slug)
    assert httpx.BasicAuth("bob", "first-word")._auth_header == hook.received[-1].headers["authorization"]
    kept = await stored_functions.Functions(store, "default").by_slug(slug)
    assert kept is not None
    assert "first-word" not in repr(kept)
    for texts in (await client.get(f"{path}history/"), await client.get(APP), await client.get(path)):
        assert "first-word" not in texts.text
        assert kept.auth_config["password"] not in texts.text
    wrong = await client.patch(path, json={"auth_config": {"type": "bearer", "token": "********"}})
    assert "is masked" in sentence(wrong, 400)
    assert (await client.patch(path, json={"auth_config": {}})).json()["auth_config"] == {}
    await call(client, slug)
    assert "authorization" not in hook.received[-1].headers


async def test_secrets_do_not_follow_a_webhook_to_another_origin(client: httpx.AsyncClient, hook: Hook):
    slug = await make(client, hook.url, auth_config={"type": "bearer", "token": SECRET})
    path = f"/api/functions/{slug}/"
    elsewhere = {"webhook_url": "https://elsewhere.example/hook"}
    assert "another origin" in sentence(await client.patch(path, json=elsewhere), 400)
    mask = {"type": "bearer", "token": "********"}
    assert "is masked" in sentence(await client.patch(path, json={**elsewhere, "auth_config": mask}), 400)
    same = await client.patch(path, json={"webhook_url": f"{hook.url}/another-path"})
    assert same.json()["auth_config"] == mask
    anew = {"type": "bearer", "token": "another-one"}
    moved = await client.patch(path, json={**elsewhere, "auth_config": anew})
    assert (moved.status_code, moved.json()["auth_config"]) == (200, mask)


@pytest.mark.parametrize(
    ("settings", "said", "field"),
    [
        ({"webhook_url": ""}, "webhook_url is required for PROXY mode", "webhook_url"),
        ({"webhook_url": "ftp://a/b"}, "webhook_url must begin with http:// or https://", "webhook_url"),
        ({"webhook_url": "https://u:p@a.example/"}, "webhook_url must not contain a user", "webhook_url"),
        ({"webhook_url": "https:///path"}, "webhook_url must have a host", "webhook_url"),
        ({"webhook_url": "https://a:b/"}, "webhook_url is not a URL", "webhook_url"),
        ({"webhook_url": "https://a /"}, "webhook_url must not contain spaces", "webhook_url"),
        ({"auth_config": {"type": "oauth"}}, "auth_config.type must be one of", "auth_config.type"),
        ({"auth_config": {"type": "bearer"}}, "auth_config.token is required", "auth_config.token"),
        ({"headers": {"Host": "x"}}, "headers: Host is set by Shoal itself", "headers"),
        ({"headers": {"X-A": "a\r\nb"}}, "headers: 'X-A' is not a header", "headers"),
        ({"config": {"max_retries": 101}}, "config.max_retries must be", "config.max_retries"),
    ],
)
async def test_wrong_settings_are_refused(client: httpx.AsyncClient, settings: dict, said: str, field: str):
    body = {"name": "Hook", "execution_mode": "proxy", "webhook_url": ZAPIER, **settings}
    answer = await client.post(APP, json=body)
    assert sentence(answer, 400).startswith(said)
    assert list(answer.json()["details"]) == [field]
    slug = await make(client, ZAPIER)
    assert sentence(await client.patch(f"/api/functions/{slug}/", json=settings), 400).startswith(said)


async def test_a_proxy_has_no_code_and_a_switch_needs_an_address(client: httpx.AsyncClient):
    slug = await make(client, ZAPIER)
    code = await client.post(f"/api/functions/{slug}/code/", json={"version": "1.0.0", "code": "def main(): pass"})
    assert "runs no code" in sentence(code, 400)
    made = await client.post(APP, json={"name": "Switch"})
    path = f"/api/functions/{made.json()['slug']}/"
    switched = await client.patch(path, json={"execution_mode": "proxy"})
    assert sentence(switched, 400) == "webhook_url is required for PROXY mode"
    switched = await client.patch(path, json={"execution_mode": "proxy", "webhook_url": ZAPIER})
    assert switched.json()["execution_mode"] == "proxy"


async def test_an_error_is_a_failure_with_the_response_beside(client: httpx.AsyncClient, hook: Hook):
    hook.answer = always(response(404, b'{"detail":"no such hook"}'))
    slug = await make(client, hook.url, config={"max_retries": 3})
    answer = await call(client, slug)
    said = 'HTTPError: the webhook answered 404 Status: {"detail":"no such hook"}'
    assert sentence_of(answer) == f"Function execution failed: {said}"
    body = answer.json()
    assert (body["status"], body["result"]) == ("FAILURE", said)
    assert body["response"]["status_code"] == 404
    assert body["response"]["body"] == {"detail": "no such hook"}
    found = await seen(client, body["task_id"], "FAILURE")
    assert (found["result"], found["response"]) == (said, body["response"])
    assert len(hook.received) == 1


def sentence_of(answer: httpx.Response) -> str:
    assert answer.status_code == 500, answer.text
    return str(answer.json()["error"])


async def test_attempts_are_on_record_between_tries_and_the_caller_goes_on_waiting(
    client: httpx.AsyncClient, hook: Hook
):
    may_succeed = asyncio.Event()

    async def unwell(sent: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(response() if may_succeed.is_set() else response(503, b"busy", kind="text/plain", Retry_After="1"))

    hook.answer = unwell
    slug = await make(client, hook.url, config={"max_retries": 20})
    waiting = asyncio.create_task(call(client, slug))
    async with asyncio.timeout(20):
        while len(hook.received) < 2:
            await asyncio.sleep(0.02)
    rows = (await client.get(f"/api/functions/{slug}/executions/")).json()["results"]
    found = await seen(client, rows[0]["celery_task_id"], "RETRY")
    assert found["result"] == "HTTPError: the webhook answered 503 Status: busy"
    assert found["attempts"] >= 1
    assert not waiting.done()
    may_succeed.set()
    answer = await asyncio.wait_for(waiting, timeout=30)
    assert answer.status_code == 200, answer.text
    ended = await seen(client, answer.json()["task_id"], "SUCCESS")
    assert ended["attempts"] == len(hook.received) >= 3
    assert {sent.headers["x-execution-id"] for sent in hook.received} == {answer.json()["task_id"]}


async def test_after_the_last_attempt_it_is_a_failure(client: httpx.AsyncClient, hook: Hook):
    hook.answer = always(response(500, b"no", kind="text/plain"))
    slug = await make(client, hook.url, config={"max_retries": 1})
    answer = await call(client, slug)
    assert sentence_of(answer).endswith("HTTPError: the webhook answered 500 Status: no")
    assert len(hook.received) == 2
    assert (await seen(client, answer.json()["task_id"], "FAILURE"))["attempts"] == 2


async def test_one_chain_only_though_the_executor_dies_between_tries(tmp_path, hook: Hook):
    unwell = asyncio.Event()

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(response() if unwell.is_set() else response(503, Retry_After="3"))

    hook.answer = answer
    async with running(tmp_path / "data", SHOAL_LEASE_S="2") as platform, platform.client() as client:
        slug = await make(client, hook.url, config={"max_retries": 1})
        tasks = [(await call(client, slug, **{"async": True})).json()["task_id"] for _ in range(20)]
        await asyncio.gather(*(seen(client, task, "RETRY") for task in tasks))
        unwell.set()
        dead = platform.kill("executor")
        await platform.restarted("executor", dead)
        ended = await asyncio.gather(*(seen(client, task, "SUCCESS", "FAILURE") for task in tasks))
        assert {(end["status"], end["attempts"]) for end in ended} == {("SUCCESS", 2)}
        sent = [received.headers["x-execution-id"] for received in hook.received]
        assert sorted(sent) == sorted(tasks * 2)


async def test_one_chain_only_though_the_executor_dies_during_a_try(tmp_path, hook: Hook):
    """What runs when it dies is run again: more requests than attempts, but one end each, and no second chain."""
    began, go_on = asyncio.Event(), asyncio.Event()

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        began.set()
        await go_on.wait()
        writer.write(response(503))

    hook.answer = answer
    settings = {"SHOAL_LEASE_S": "2", "SHOAL_EXECUTOR_RETRY_FIRST_S": "0.1"}
    async with running(tmp_path / "data", **settings) as platform, platform.client() as client:
        slug = await make(client, hook.url, config={"max_retries": 2})
        task = (await call(client, slug, **{"async": True})).json()["task_id"]
        await asyncio.wait_for(began.wait(), timeout=30)
        dead = platform.kill("executor")
        go_on.set()
        await platform.restarted("executor", dead)
        ended = await seen(client, task, "SUCCESS", "FAILURE")
        assert (ended["status"], ended["attempts"]) == ("FAILURE", 3)
        assert len(hook.received) == 4


async def test_a_private_address_is_refused_where_the_operator_has_not_opened_it(tmp_path, hook: Hook):
    settings = {"SHOAL_EGRESS_PRIVATE": "false"}
    async with running(tmp_path / "data", **settings) as platform, platform.client() as client:
        for host in ("127.0.0.1", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "0"):
            slug = await make(client, f"http://{host}:{hook.port}/", config={"max_retries": 5})
            answer = await call(client, slug)
            assert "EgressRefused: " in sentence_of(answer)
        assert hook.connections == 0


async def test_nothing_secret_is_on_the_bus_or_in_the_logs(
    client: httpx.AsyncClient, hook: Hook, bus: Bus, platform: Platform
):
    async def echo(sent: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(response(500, sent.headers["x-api-key"].encode(), kind="text/plain"))

    hook.answer = echo
    secret = "never-to-be-seen-again"
    slug = await make(client, hook.url, auth_config={"type": "api_key", "key": secret}, config={"max_retries": 1})
    answer = await call(client, slug)
    assert sentence_of(answer).endswith("500 Status: ********")
    assert hook.received[0].headers["x-api-key"] == secret
    assert secret not in answer.text
    assert secret not in platform.log.read_text()
    for stream in ("INVOKE", "WORK", "EVENTS"):
        state = (await bus.stream.stream_info(stream)).state
        for sequence in range(max(state.first_seq, state.last_seq - 50), state.last_seq + 1):
            try:
                message = await bus.stream.get_msg(stream, sequence)
            except Exception:  # noqa: BLE001 - gone from the work queue
                continue
            assert secret.encode() not in (message.data or b"")
