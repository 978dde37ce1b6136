"""Another secret for a webhook, beside the former ones; what is told of a webhook, and who has tried it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.notices import FunctionChanged
from shared.secrets import Keyring
from shared.store.attempts import Attempt, Attempts
from shared.store.client import Store
from tests.api.apps.hooks import Hooks, hook, is_generated
from tests.api.apps.shop import Shop, refused
from tests.platform import Platform

DAY_S = 86_400
HEARD_S = 10.0


@pytest.fixture
def hooks(shop: Shop, store: Store, keyring: Keyring) -> Hooks:
    return Hooks(shop, store, keyring)


async def rotate(shop: Shop, name: str, **body: Any) -> dict[str, Any]:
    answer = await shop.ask("POST", f"functions/{name}/webhook/rotate", json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def lasts_s(one: dict[str, str]) -> float:
    return (datetime.fromisoformat(one["expiresAt"]) - datetime.now(UTC)).total_seconds()


async def test_a_new_secret_is_made_and_the_former_is_believed_for_a_day(shop: Shop, hooks: Hooks, platform: Platform):
    made = await shop.deploy("turned", **hook())
    first = made["webhook"]["secret"]
    told = await rotate(shop, "turned")
    assert set(told) == {"secret", "url", "secrets"}
    assert is_generated(told["secret"])
    assert told["secret"] != first
    assert told["url"] == made["webhook"]["url"]
    assert await hooks.texts(made) == [told["secret"], first]
    [new, old] = told["secrets"]
    assert new["expiresAt"] is None
    assert new["createdAt"] > old["createdAt"]
    assert DAY_S - 60 < lasts_s(old) <= DAY_S
    shown = (await shop.ask("GET", "functions/turned/webhook")).json()
    assert shown == {"url": told["url"], "secrets": told["secrets"], "config": {"secret": "***"}, "enabled": True}
    slug = (await shop.show("turned"))["slug"]
    history = await shop.client.get(f"/api/functions/{slug}/history/")
    assert [row["history_type"] for row in history.json()] == ["Changed", "Created"]
    everything = str([shown, await shop.show("turned"), await hooks.record(made), history.text])
    assert not any(secret in everything + platform.log.read_text() for secret in (first, told["secret"]))


@pytest.mark.parametrize("body", [b"", b"null", b"{}", b'{"secret": null}'])
async def test_nothing_need_be_said(shop: Shop, hooks: Hooks, body: bytes):
    made = await shop.deploy("silent", **hook())
    answer = await shop.ask("POST", "functions/silent/webhook/rotate", content=body)
    assert answer.status_code == 200, answer.text
    assert (await hooks.texts(made))[0] == answer.json()["secret"]


async def test_one_s_own_is_not_told_back_and_the_former_may_end_at_once(shop: Shop, hooks: Hooks):
    made = await shop.deploy("own", **hook())
    told = await rotate(shop, "own", secret="theirs", overlap_seconds=0)
    assert set(told) == {"url", "secrets"}
    assert (len(told["secrets"]), await hooks.texts(made)) == (1, ["theirs"])
    await rotate(shop, "own", secret="theirs too", overlap_seconds=30 * DAY_S)
    told = await rotate(shop, "own", secret="theirs", overlap_seconds=60)
    assert await hooks.texts(made) == ["theirs", "theirs too"]
    assert (told["secrets"][0]["expiresAt"], lasts_s(told["secrets"][1]) <= 60) == (None, True)


async def test_ten_are_believed_at_most(shop: Shop, hooks: Hooks):
    made = await shop.deploy("many", **hook(secret="0"))
    for number in range(1, 12):
        told = await rotate(shop, "many", secret=str(number))
    assert (await hooks.texts(made), len(told["secrets"])) == ([str(number) for number in range(11, 1, -1)], 10)


async def test_rotations_side_by_side_all_count_and_what_is_told_is_stored(shop: Shop, hooks: Hooks):
    made = await shop.deploy("busy", **hook())
    told = await asyncio.gather(*(rotate(shop, "busy") for _ in range(8)))
    wanted = [made["webhook"]["secret"], *(one["secret"] for one in told)]
    assert sorted(await hooks.texts(made)) == sorted(wanted)


async def test_it_is_announced_at_once(shop: Shop, bus: Bus):
    await shop.deploy("heard", **hook())
    slug = (await shop.show("heard"))["slug"]
    heard: asyncio.Queue[FunctionChanged] = asyncio.Queue()
    await bus.listen(subjects.changed("default", slug), heard.put, body=FunctionChanged)
    await rotate(shop, "heard")
    async with asyncio.timeout(HEARD_S):
        notice = await heard.get()
    assert (notice.function, notice.revision) == (slug, 2)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"overlap_seconds": -1}, "overlap_seconds: Expected `int` >= 0"),
        ({"overlap_seconds": 30 * DAY_S + 1}, "overlap_seconds: Expected `int` <= 2592000"),
        ({"overlap_seconds": "1"}, "overlap_seconds: Expected `int`, got `str`"),
        ({"overlap_seconds": 1.5}, "overlap_seconds: Expected `int`, got `float`"),
        ({"secret": ""}, "secret: Expected `str` of length >= 1"),
        ({"secret": "x" * 4001}, "secret: Expected `str` of length <= 4000"),
        ({"secret": "***"}, "secret is '***', which only stands for one"),
        ({"overlap": 1}, "The body is wrong: Object contains unknown field `overlap`"),
        ([], "The body is wrong: Expected `object | null`, got `array`"),
    ],
)
async def test_what_is_refused(shop: Shop, hooks: Hooks, body: Any, said: str):
    made = await shop.deploy("refused", **hook())
    answer = await shop.ask("POST", "functions/refused/webhook/rotate", json=body)
    assert refused(answer, 400, "VALIDATION_INVALID_SCHEMA").startswith(said)
    assert await hooks.texts(made) == [made["webhook"]["secret"]]


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/rotate"), ("GET", "/attempts")])
async def test_where_there_is_no_webhook(shop: Shop, method: str, path: str):
    await shop.deploy("plain")
    said = refused(await shop.ask(method, f"functions/plain/webhook{path}"), 404, "RESOURCE_NOT_FOUND")
    assert said == "The function has no trigger of type webhook"
    said = refused(await shop.ask(method, f"functions/none/webhook{path}"), 404, "RESOURCE_NOT_FOUND")
    assert said == "Function 'none' not found"


async def test_attempts_are_told_the_newest_first(shop: Shop, store: Store, client: httpx.AsyncClient):
    made = await shop.deploy("tried", **hook())
    now = datetime.now(UTC)
    known = {"delivery_id": "evt_1", "task_id": "01890000-0000-7000-8000-000000000000", "ip": "192.0.2.7"}
    tries = [
        Attempt(function_id=int(made["id"]), at=now, source="stripe", verdict="accepted", status=202, **known),
        Attempt(
            function_id=int(made["id"]),
            at=now - timedelta(seconds=1),
            source="github",
            verdict="bad_signature",
            reason="no secret fits",
            status=401,
        ),
    ]
    await Attempts(store, "default").insert(tries, kept_s=DAY_S)
    answer = await shop.ask("GET", "functions/tried/webhook/attempts")
    [newest, older] = answer.json()["attempts"]
    assert newest == {
        "at": newest["at"], "source": "stripe", "verdict": "accepted", "reason": "", "deliveryId": "evt_1",
        "taskId": known["task_id"], "ip": "192.0.2.7", "status": 202,
    }  # fmt: skip
    assert (older["verdict"], older["reason"], older["status"]) == ("bad_signature", "no secret fits", 401)
    assert (older["deliveryId"], older["taskId"], older["ip"]) == (None, None, None)
    for query, expected in (({"limit": "1"}, [newest]), ({"before": newest["at"]}, [older])):
        page = await shop.ask("GET", "functions/tried/webhook/attempts", params=query)
        assert page.json() == {"attempts": expected}
    for wrong in ({"limit": "0"}, {"limit": "x"}, {"before": "yesterday"}):
        page = await shop.ask("GET", "functions/tried/webhook/attempts", params=wrong)
        refused(page, 400, "VALIDATION_INVALID_SCHEMA")
