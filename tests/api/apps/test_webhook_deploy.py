"""Functions with a webhook, deployed: the signed URL, the secret that is told once, and what a redeployment keeps."""

import asyncio
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from services.api.core.triggers import Triggers
from services.api.core.webhook_secrets import WebhookSecrets
from shared.domain.problem import Problem
from shared.domain.trigger import Trigger, trigger_place
from shared.secrets import Keyring
from shared.store.client import Store
from tests import people
from tests.api.apps.conftest import HOOKS
from tests.api.apps.hooks import Hooks, hook, is_generated
from tests.api.apps.shop import Shop, refused
from tests.platform import Platform

LOST = Keyring([b"l" * 32])


@pytest.fixture
def hooks(shop: Shop, store: Store, keyring: Keyring) -> Hooks:
    return Hooks(shop, store, keyring)


async def test_the_first_deployment_makes_a_secret_and_tells_it_once(
    shop: Shop, hooks: Hooks, client: httpx.AsyncClient, platform: Platform
):
    made = await shop.deploy("hooked", **hook())
    secret = made["webhook"]["secret"]
    assert is_generated(secret)
    assert await hooks.texts(made) == [secret]
    assert made["webhook"] == {"url": await hooks.url(made), "secret": secret}
    assert (made["url"], made["triggers"]) == (
        None,
        [{"type": "webhook", "config": {"secret": "***"}, "enabled": True}],
    )
    slug = (await shop.show("hooked"))["slug"]
    rows = (await shop.ask("GET", "functions")).json()["functions"]
    told = [await shop.show("hooked"), rows[0], await shop.deploy("hooked", **hook())]
    assert [body["webhook"] for body in told] == [{"url": made["webhook"]["url"]}] * 3
    told += [
        (await client.get(f"/api/functions/{slug}/")).json(),
        (await client.get(f"/api/functions/{slug}/history/")).json(),
        (await shop.ask("GET", "functions/hooked/webhook")).json(),
        await hooks.record(made),
    ]
    assert all(secret not in str(body) for body in told)
    assert secret not in platform.log.read_text()


async def test_a_function_without_a_webhook_says_nothing_of_one(shop: Shop):
    assert "webhook" not in await shop.deploy("plain")
    assert "webhook" not in await shop.show("plain")
    assert "webhook" not in (await shop.ask("GET", "functions")).json()["functions"][0]


@pytest.mark.parametrize("again", [{}, {"secret": "***"}, {"secret_required": False}, {"mode": "sync"}])
async def test_a_redeployment_keeps_what_is_stored(shop: Shop, hooks: Hooks, again: dict[str, Any]):
    made = await shop.deploy("kept", **hook())
    before = await hooks.sealed(made)
    redeployed = await shop.deploy("kept", code="def main(params):\n    return 2", **hook(**again))
    assert redeployed["webhook"] == {"url": made["webhook"]["url"]}
    assert await hooks.sealed(made) == before


async def test_one_s_own_secret_is_taken_and_another_replaces_it_at_once(shop: Shop, hooks: Hooks):
    made = await shop.deploy("own", **hook(secret="from-the-sender"))
    assert made["webhook"] == {"url": await hooks.url(made)}
    assert await hooks.texts(made) == ["from-the-sender"]
    sealed = await hooks.sealed(made)
    again = await shop.deploy("own", **hook(secret="from-the-sender"))
    assert (again["webhook"], await hooks.sealed(made)) == (made["webhook"], sealed)
    other = await shop.deploy("own", **hook(secret="another"))
    assert (other["webhook"], await hooks.texts(made)) == (made["webhook"], ["another"])
    assert "another" not in str(other) + str(await shop.show("own")) + str(await hooks.record(made))


async def test_where_no_secret_is_required_none_is_made_until_one_is(shop: Shop, hooks: Hooks):
    made = await shop.deploy("open", **hook(secret_required=False))
    assert made["webhook"] == {"url": await hooks.url(made)}
    assert await hooks.texts(made) == []
    required = await shop.deploy("open", **hook(secret_required=True))
    assert required["webhook"]["url"] == made["webhook"]["url"]
    assert await hooks.texts(made) == [required["webhook"]["secret"]]
    own = await shop.deploy("open", **hook(secret_required=False, secret="own"))
    assert (own["webhook"], await hooks.texts(made)) == (made["webhook"], ["own"])


async def test_it_outlives_a_soft_deletion_and_a_rest_but_not_its_trigger(shop: Shop, hooks: Hooks):
    made = await shop.deploy("lasting", **hook())
    sealed = await hooks.sealed(made)
    await shop.ask("DELETE", "functions/lasting")
    assert (await shop.deploy("lasting", **hook()))["webhook"] == {"url": made["webhook"]["url"]}
    resting = await shop.deploy("lasting", triggers=[{"type": "webhook", "enabled": False}])
    assert resting["webhook"] == {"url": made["webhook"]["url"]}
    assert (await shop.deploy("lasting", **hook()))["webhook"] == {"url": made["webhook"]["url"]}
    assert await hooks.sealed(made) == sealed
    await shop.deploy("lasting")
    anew = await shop.deploy("lasting", **hook())
    assert is_generated(anew["webhook"]["secret"])
    assert anew["webhook"]["url"] != made["webhook"]["url"]


async def test_a_secret_of_old_is_the_one_that_it_was(shop: Shop, hooks: Hooks, keyring: Keyring):
    made = await shop.deploy("old", **hook())
    place = trigger_place("default", int(made["id"]), "webhook")
    await hooks.put(made, keyring.seal(b"of-old", place=place))
    url = (await shop.show("old"))["webhook"]["url"]
    assert url == await hooks.url(made)
    assert (await shop.deploy("old", **hook()))["webhook"] == {"url": url}
    assert await hooks.texts(made) == ["of-old"]
    shown = (await shop.ask("GET", "functions/old/webhook")).json()
    assert shown["secrets"] == [{"createdAt": None, "expiresAt": None}]
    turned = (await shop.ask("POST", "functions/old/webhook/rotate", json={"secret": "new"})).json()
    assert (turned["url"], await hooks.texts(made)) == (url, ["new", "of-old"])


async def test_of_twenty_first_deployments_one_tells_a_secret_and_it_is_the_stored_one(shop: Shop, hooks: Hooks):
    for name, before in (("race", False), ("race too", True)):
        if before:
            await shop.deploy(name)  # then it is the revision that decides, not the unique index
        codes = [f"def main(params):\n    return {number}" for number in range(20)]
        answers = await asyncio.gather(*(shop.deploy(name, code=code, **hook()) for code in codes))
        [told] = [answer["webhook"]["secret"] for answer in answers if "secret" in answer["webhook"]]
        assert len({answer["webhook"]["url"] for answer in answers}) == 1
        assert await hooks.texts(answers[0]) == [told]


async def test_deployments_beside_rotations_lose_no_secret(shop: Shop, hooks: Hooks):
    made = await shop.deploy("busy", **hook())

    async def rotate(secret: str) -> None:
        answer = await shop.ask("POST", "functions/busy/webhook/rotate", json={"secret": secret})
        assert answer.status_code == 200, answer.text

    own = [f"own-{number}" for number in range(8)]
    code = "def main(params):\n    return {}"
    redeployed = (shop.deploy("busy", code=code.format(number), **hook()) for number in range(8))
    await asyncio.gather(*map(rotate, own), *redeployed)
    assert sorted(await hooks.texts(made)) == sorted([*own, made["webhook"]["secret"]])


@pytest.mark.parametrize("name", ["two words", "Grüße", "a%2Fb?c#d"])
async def test_any_name_has_its_own_url(shop: Shop, hooks: Hooks, name: str):
    made = await shop.deploy(name, **hook())
    address, _, signature = made["webhook"]["url"].partition("?sig=")
    assert address.endswith("/webhook/" + quote(name, safe=""))
    app = address.split("/")[-3]
    secrets = await hooks.secrets(made)
    assert signature == secrets.url_signature(app, name) != secrets.url_signature(app, "other")


async def test_who_may_not_develop_sees_no_signature(
    shop: Shop, store: Store, platform: Platform, client: httpx.AsyncClient
):
    made = await shop.deploy("watched", **hook())
    address, _, signature = made["webhook"]["url"].partition("?")
    user = await people.account(store, "hook-watcher")
    admin = await people.account(store, "hook-admin", role="admin")
    reader = await people.token_for(store, user)
    narrow = await people.token_for(store, admin, scopes=frozenset({"functions:read"}))
    writer = await people.token_for(store, admin, scopes=frozenset({"functions:read", "functions:write"}))
    for token, may in ((reader, False), (narrow, False), (writer, True)):
        async with httpx.AsyncClient(base_url=platform.url, headers={"Authorization": f"Bearer {token}"}) as http:
            seen = Shop(http, shop.app)
            told = [
                await seen.show("watched"),
                (await seen.ask("GET", "functions")).json()["functions"][0],
                {"webhook": (await seen.ask("GET", "functions/watched/webhook")).json()},
            ]
            urls = {body["webhook"]["url"] for body in told}
            assert urls == {made["webhook"]["url"] if may else address}
            assert all((signature in str(body)) is may for body in told)


async def test_the_other_dialect_neither_tells_nor_breaks_it(shop: Shop, hooks: Hooks, client: httpx.AsyncClient):
    made = await shop.deploy("both", **hook(allowed_sources="github"))
    sealed, slug = await hooks.sealed(made), (await shop.show("both"))["slug"]
    path = f"/api/functions/{slug}/"
    listed = await client.get("/api/functions/", params={"search": "both"})
    answers = [listed, await client.get(path), await client.patch(path, json={"name": "Renamed", "description": "d"})]
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert not any(text in answer.text for text in ("whsec_", "s1.", "sig=", "url_key", "allowed_sources"))
    shown = await shop.show("both")
    assert shown["webhook"] == {"url": made["webhook"]["url"]}
    assert shown["triggers"][0]["config"] == {"allowed_sources": "github", "secret": "***"}
    assert await hooks.sealed(made) == sealed


async def test_what_no_key_at_hand_opens_stays_until_it_is_set_anew(shop: Shop, hooks: Hooks):
    made = await shop.deploy("lost", **hook())
    address = made["webhook"]["url"].partition("?")[0]
    lost = LOST.seal(b"lost", place=trigger_place("default", int(made["id"]), "webhook"))
    await hooks.put(made, lost)
    assert (await shop.show("lost"))["webhook"] == {"url": address}
    assert (await shop.ask("GET", "functions")).json()["functions"][0]["webhook"] == {"url": address}
    said = refused(await shop.ask("GET", "functions/lost/webhook"), 503, "SERVICE_UNAVAILABLE")
    assert "cannot be opened" in said
    assert (await shop.deploy("lost", **hook()))["webhook"] == {"url": address}
    assert await hooks.sealed(made) == lost
    turned = await shop.ask("POST", "functions/lost/webhook/rotate", json={"secret": "found"})
    assert (turned.json()["url"], await hooks.texts(made)) == (await hooks.url(made), ["found"])
    await hooks.put(made, lost)
    assert (await shop.deploy("lost", **hook(secret="set")))["webhook"] == {"url": await hooks.url(made)}
    assert await hooks.texts(made) == ["set"]


@pytest.mark.parametrize("config", [{}, {"secret": "own"}, {"secret_required": False}])
def test_without_a_key_of_the_operator_there_is_no_webhook(config: dict[str, Any]):
    triggers = Triggers(WebhookSecrets(Keyring([])))
    with pytest.raises(Problem, match="SHOAL_SECRET_KEY") as raised:
        triggers.kept([Trigger("webhook", config)], tenant="default", function_id=1, before=None)
    assert raised.value.code == "unavailable"
    assert triggers.kept([Trigger("websocket")], tenant="default", function_id=1, before=None).generated == ""


async def test_where_the_world_reaches_webhooks_may_be_another_place(owner: httpx.AsyncClient):
    made = await Shop(owner, "elsewhere").deploy("hooked", **hook(), trigger="http")
    assert made["webhook"]["url"].startswith(f"{HOOKS.rstrip('/')}/v1/app_")
    shown = await Shop(owner, "elsewhere").show("hooked")
    assert shown["webhook"]["url"] == made["webhook"]["url"]


@pytest.mark.parametrize(
    ("config", "field", "said"),
    [
        ({"secret_required": "yes"}, "secret_required", "Expected `bool`, got `str`"),
        ({"secret_required": None}, "secret_required", "Expected `bool`, got `null`"),
        ({"allowed_sources": "paypal"}, "allowed_sources", "'paypal' is not known; the tags are standard, stripe"),
        ({"allowed_sources": ["stripe"]}, "allowed_sources", "Expected `str`, got `array`"),
        ({"mode": "later"}, "mode", "must be async or sync"),
        ({"secret": ""}, "secret", "Expected `str` of length >= 1"),
        ({"secret": "x" * 4001}, "secret", "Expected `str` of length <= 4000"),
        ({"secret": 7}, "secret", "Expected `str`, got `int`"),
        ({"tolerance_seconds": 0}, "tolerance_seconds", "Expected `int` >= 1"),
        ({"tolerance_seconds": 3601}, "tolerance_seconds", "Expected `int` <= 3600"),
        ({"tolerance_seconds": "300"}, "tolerance_seconds", "Expected `int`, got `str`"),
        ({"signature_header": "X Signature"}, "signature_header", "must be the name of a header"),
        ({"signature_header": ""}, "signature_header", "Expected `str` of length >= 1"),
        ({"idempotency_key_header": "X-Id:"}, "idempotency_key_header", "must be the name of a header"),
        ({"idempotency_key_header": "x" * 101}, "idempotency_key_header", "Expected `str` of length <= 100"),
        ({"sns_topics": "arn:aws:sns:eu-west-1:1:t"}, "sns_topics", "Expected `array`, got `str`"),
        ({"sns_topics": ["arn:aws:sqs:eu-west-1:1:q"]}, "sns_topics[0]", "must be the ARN of a topic of SNS"),
        ({"sns_topics": ["arn:aws:sns:eu-west-1:1:t"] * 21}, "sns_topics", "Expected `array` of length <= 20"),
        ({"provider": "stripe"}, "provider", "This field is not known"),
    ],
)
async def test_what_is_refused(shop: Shop, config: dict[str, Any], field: str, said: str):
    answer = await shop.post("refused", **hook(**config))
    place = f"triggers[0].config.{field}"
    assert refused(answer, 400, "VALIDATION_INVALID_SCHEMA").startswith(f"{place}: {said}")
    assert list(answer.json()["error"]["details"]) == [place]
    assert (await shop.ask("GET", "functions/refused")).status_code == 404


async def test_a_stand_in_for_no_secret_is_refused(shop: Shop):
    answer = await shop.post("refused", **hook(secret="***"))
    assert "none is stored that it could stand for" in refused(answer, 400, "VALIDATION_INVALID_SCHEMA")


async def test_all_that_a_webhook_may_say_is_kept(shop: Shop):
    config = {
        "secret_required": True,
        "allowed_sources": "sns,custom",
        "mode": "sync",
        "tolerance_seconds": 3600,
        "signature_header": "X-Hub!Sig",
        "idempotency_key_header": "X-Id",
        "sns_topics": ["arn:aws-cn:sns:cn-north-1:123456789012:orders.fifo"],
    }
    made = await shop.deploy("whole", **hook(**config | {"allowed_sources": " SNS,custom, sns "}))
    assert made["triggers"][0]["config"] == {**config, "secret": "***"}
    again = await shop.deploy("whole", triggers=made["triggers"])
    assert (again["triggers"], again["webhook"]) == (made["triggers"], {"url": made["webhook"]["url"]})
