"""Who may call a function over HTTP: tokens of the platform, end users of the app, and nobody in particular."""

import base64
import hashlib
import hmac
import json
import time
import warnings
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.domain.caller import Caller, User
from shared.store.apps import Apps
from shared.store.client import Store
from tests.api.apps.conftest import MakeApp
from tests.api.apps.edge import RSA, SECRET, Issuer, claims, jwk, raw, signed
from tests.api.apps.scripted import Scripted, answer, http
from tests.conftest import DOMAIN
from tests.people import PASSWORD, account, enrol, token_for
from tests.platform import Platform

AUTHS = ("required", "optional", "none")
REQUIRED = "This app requires authentication. Anonymous access is disabled."


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def ask(anyone: httpx.AsyncClient, scripted: Scripted, make_app: MakeApp):
    """Call a function with this `auth` of an app with these settings; the answer, and who the handler takes it from."""

    async def one(auth: str, headers: dict[str, str], **settings: Any) -> tuple[httpx.Response, Any]:
        app = await make_app(**settings)
        name = await scripted.add(app, answer(), triggers=(http(auth=auth),))
        answered = await anyone.get(f"/v1/{app.public_id}/fn/{name}", headers=headers)
        dispatch = scripted.raw.get(name)
        assert (dispatch is None) == (answered.status_code != 200), answered.text
        return answered, dispatch and dispatch.actor

    return one


def code(answered: httpx.Response, status: int) -> str:
    assert answered.status_code == status, answered.text
    assert set(answered.json()["error"]) == {"code", "message", "remediation"}
    return str(answered.json()["error"]["code"])


async def test_nobody_in_particular(ask):
    refused, _ = await ask("required", {})
    assert (code(refused, 401), refused.json()["error"]["message"]) == ("AUTH_REQUIRED", REQUIRED)
    assert refused.headers["www-authenticate"] == "Bearer"
    for auth in ("optional", "none"):
        _, actor = await ask(auth, {})
        assert (actor.kind, actor.user_id, actor.claims) == ("anonymous", "", {})


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("header", ["bearer", "api-key", "session"])
async def test_a_token_of_the_platform_is_never_forwarded(
    *, edge: Platform, anyone, scripted: Scripted, make_app: MakeApp, auth: str, header: str
):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=(http(auth=auth),))
    sent = {"X-Session-Token": edge.token} if header == "session" else {"Authorization": f"{header} {edge.token}"}
    assert (await anyone.get(f"/v1/{app.public_id}/fn/{name}", headers=sent)).status_code == 200
    dispatch = scripted.raw[name]
    assert dispatch.actor is not None
    assert (dispatch.actor.kind, dispatch.actor.user_id) == ("service_key", "1")
    assert dispatch.actor.key_id.startswith("token-")
    assert dispatch.user == User(id=1, username="admin", email="admin@localhost")
    assert edge.token not in repr(scripted.asked[name])


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Session-Token": "{token}", "Authorization": "Bearer of-its-own"},
        {"X-Api-Key": "{token}"},
        {"Authorization": "Token {token}"},
        {"Authorization": "Bearer shoal_not-a-token-any-more"},
        {"X-Session-Token": "shoal_not-a-token-any-more"},
    ],
)
async def test_nor_one_that_was_not_needed_or_is_over(
    *, edge: Platform, anyone, scripted: Scripted, make_app: MakeApp, headers: dict[str, str]
):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=(http(auth="none"),))
    sent = {name: value.format(token=edge.token) for name, value in headers.items()}
    assert (await anyone.get(f"/v1/{app.public_id}/fn/{name}", headers=sent)).status_code == 200
    assert "shoal_" not in repr(scripted.asked[name])
    own = [value for value in sent.values() if "own" in value]
    assert scripted.line(name, "authorization") == own


LINES = [
    "Authorization: Bearer\t{}",
    "Authorization: Bearer x, Bearer {}",
    'Authorization: Bearer "{}"',
    "Authorization: Token token={}",
    "X-Api-Key: Bearer {}",
    'X-Session-Token: "{}',
    "Api-Key: {}",
    "Cookie: a=b; session={}; c=d",
    "Referer: https://example.org/?token={}",
]


@pytest.mark.parametrize("line", LINES)
async def test_nor_one_that_is_written_as_nobody_reads_it(
    *, edge: Platform, scripted: Scripted, make_app: MakeApp, line: str
):
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=(http(auth="none"),))
    login = signed("of nobody, but it is of the form of ours, and may be over", iss="shoal", login="l")
    for token in (edge.token, login):
        head = f"GET /v1/{app.public_id}/fn/{name} HTTP/1.1\nHost: a\nX-Else: b\n{line.format(token)}"
        assert (await raw(edge, head)).status == 200
        assert token not in repr(scripted.asked[name])
        assert scripted.line(name, "x-else") == ["b"]
        scripted.asked.pop(name)


async def test_the_login_of_a_user_is_a_token_of_the_platform(
    anyone, edge_store: Store, scripted: Scripted, make_app: MakeApp
):
    app = await make_app()
    await account(edge_store, "logs-in", role="user", password=PASSWORD)
    sent = {"username": "logs-in", "password": PASSWORD}
    access = (await anyone.post("/api/auth/jwt/token/", json=sent)).json()["access"]
    name = await scripted.add(app, answer())
    assert (await anyone.get(f"/v1/{app.public_id}/fn/{name}", headers=bearer(access))).status_code == 200
    assert scripted.raw[name].user.username == "logs-in"  # type: ignore[union-attr]
    assert scripted.line(name, "authorization") == []


async def test_a_login_that_is_over_or_forged_is_a_bad_token_and_not_forwarded(ask, scripted: Scripted):
    token = signed("not our key, but long enough for the hash", iss="shoal", login="l", type="access", tenant="default")
    refused, _ = await ask("required", bearer(token), end_users={"jwt_secret": SECRET})
    assert code(refused, 401) == "AUTH_INVALID_TOKEN"
    _, actor = await ask("none", bearer(token), end_users={"jwt_secret": SECRET})
    assert actor.kind == "anonymous"
    assert token not in repr(list(scripted.asked.values())[-1])


@pytest.mark.parametrize("auth", AUTHS)
async def test_what_is_no_token(ask, auth: str):
    answered, actor = await ask(auth, bearer("nothing-we-know"))
    if auth == "required":
        assert code(answered, 401) == "AUTH_INVALID_TOKEN"
    else:
        assert actor.kind == "anonymous"


async def test_another_tenants_token(edge_store: Store, ask):
    user = User(id=7, username="stranger", email="stranger@example.org")
    await enrol(edge_store, "strangers-token", Caller(tenant="elsewhere", user=user, role="admin"))
    refused, _ = await ask("required", bearer("strangers-token"))
    assert code(refused, 401) == "AUTH_INVALID_TOKEN"
    _, actor = await ask("optional", bearer("strangers-token"))
    assert actor.kind == "anonymous"


async def test_a_token_that_may_not_call(*, edge_store: Store, anyone, ask, scripted: Scripted, make_app: MakeApp):
    reader = await account(edge_store, "reads-only")
    token = await token_for(edge_store, reader, scopes=frozenset({"functions:read"}))
    refused, _ = await ask("required", bearer(token))
    assert code(refused, 403) == "AUTH_INSUFFICIENT_PERMISSIONS"
    _, actor = await ask("none", bearer(token))
    assert actor.kind == "anonymous"
    app = await make_app()
    name = await scripted.add(app, answer(), triggers=())
    test = await anyone.post(f"/v1/{app.public_id}/functions/{name}/invoke", headers=bearer(token))
    assert code(test, 403) == "AUTH_INSUFFICIENT_PERMISSIONS"


async def test_the_owners_test_is_for_tokens_of_the_platform(anyone, owner, scripted: Scripted, make_app: MakeApp):
    app = await make_app(end_users={"jwt_secret": SECRET})
    name = await scripted.add(app, answer(), triggers=(http(auth="none"),))
    path = f"/v1/{app.public_id}/functions/{name}/invoke"
    assert code(await anyone.post(path), 401) == "AUTH_REQUIRED"
    assert (await anyone.post(path, headers=bearer(signed()))).status_code in (401, 403)
    assert name not in scripted.raw
    assert (await owner.get(path)).status_code == 405
    assert code(await owner.post(f"/v1/{app.public_id}/functions/nothing/invoke"), 404) == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize("auth", AUTHS)
async def test_an_end_user(ask, scripted: Scripted, auth: str):
    token = signed(role="editor", org={"id": 7})
    answered, actor = await ask(auth, bearer(token), end_users={"jwt_secret": SECRET})
    assert answered.status_code == 200
    assert (actor.kind, actor.user_id, actor.key_id) == ("end_user_jwt", "user-7", "")
    assert (actor.claims["role"], actor.claims["org"]) == ("editor", {"id": 7})
    last = list(scripted.asked)[-1]
    assert scripted.line(last, "authorization") == [f"Bearer {token}"]
    assert token not in repr(scripted.raw[last])
    assert scripted.raw[last].user is None


async def test_an_end_users_own_words_change_nothing(anyone, scripted: Scripted, make_app: MakeApp):
    """An executor overwrites these lines by what the edge has found out; they are not how it is told."""
    app = await make_app(end_users={"jwt_secret": SECRET})
    name = await scripted.add(app, answer())
    forged = {"X-User-Id": "1", "X-App-Id": "app_other", "X-Trigger-Type": "cron", **bearer(signed())}
    assert (await anyone.get(f"/v1/{app.public_id}/fn/{name}", headers=forged)).status_code == 200
    actor = scripted.raw[name].actor
    assert actor is not None
    assert actor.user_id == "user-7"


async def test_an_end_user_of_another_app(anyone, scripted: Scripted, make_app: MakeApp):
    mine, other = (
        await make_app(end_users={"jwt_secret": SECRET}),
        await make_app(end_users={"jwt_secret": SECRET[::-1]}),
    )
    without = await make_app()
    for app, status in ((mine, 200), (other, 401), (without, 401)):
        name = await scripted.add(app, answer())
        answered = await anyone.get(f"/v1/{app.public_id}/fn/{name}", headers=bearer(signed()))
        assert answered.status_code == status
        if status == 401:
            assert code(answered, 401) == "AUTH_INVALID_END_USER_JWT"


async def test_a_token_that_has_expired(ask):
    late = signed(exp=int(time.time()) - 100)
    refused, _ = await ask("required", bearer(late), end_users={"jwt_secret": SECRET})
    assert code(refused, 401) == "AUTH_END_USER_JWT_EXPIRED"
    _, actor = await ask("optional", bearer(late), end_users={"jwt_secret": SECRET})
    assert actor.kind == "anonymous"
    _, actor = await ask("required", bearer(signed(exp=int(time.time()) - 5)), end_users={"jwt_secret": SECRET})
    assert actor.kind == "end_user_jwt", "clocks differ by some seconds"


def forged_none(alg: str) -> str:
    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': alg, 'typ': 'JWT'})}.{part(claims())}."


WRONG: list[tuple[str, str]] = [
    *(
        (f"alg {alg!r}", forged_none(alg))
        for alg in ("none", "None", "NONE", "nOnE", "", "HS256", "RS256", "HS1", "ES256K")
    ),
    ("another secret", signed(SECRET[1:] + "x")),
    ("not yet", signed(nbf=int(time.time()) + 300)),
    ("never expires", signed(exp=None)),
    ("no user", signed(sub=None)),
    ("an empty user", signed(sub="")),
    ("a user that is no text", signed(sub=["a"])),
    ("a user that is a truth", signed(sub=True)),
    ("a user that splits a header", signed(sub="a\r\nx-user-id: 1")),
    ("a user with a blank", signed(sub=" 1")),
    ("a user too long", signed(sub="x" * 256)),
    ("an end that is no number", signed(exp="soon")),
    ("an endless end", forged_none("HS256").replace("x", "y")),
    ("claims too deep", signed(deep=json.loads("[" * 30 + "]" * 30))),
    ("a number too large", signed(n=2**70)),
    ("too long", signed(long="x" * 9000)),
    ("half", signed()[:60]),
    ("five parts", signed() + ".a.b"),
    ("rubbish", "eyJ"),
    ("more rubbish", "eyJ\u00e4.x.y"),
]


@pytest.mark.parametrize("token", [token for _, token in WRONG], ids=[name for name, _ in WRONG])
async def test_tokens_that_prove_nothing(edge: Platform, scripted: Scripted, make_app: MakeApp, token: str):
    app = await make_app(end_users={"jwt_secret": SECRET})
    name = await scripted.add(app, answer())
    head = f"GET /v1/{app.public_id}/fn/{name} HTTP/1.1\nHost: a\nAuthorization: Bearer {token}"
    found = await raw(edge, head)
    assert (found.status, found.json()["error"]["code"]) == (401, "AUTH_INVALID_END_USER_JWT")
    assert name not in scripted.raw


@pytest.mark.parametrize(("settings", "token", "status"), [
    ({"issuer": "https://me"}, {"iss": "https://me"}, 200),
    ({"issuer": "https://me"}, {"iss": "https://you"}, 401),
    ({"issuer": "https://me"}, {}, 401),
    ({"audience": "us"}, {"aud": "us"}, 200),
    ({"audience": "us"}, {"aud": ["them", "us"]}, 200),
    ({"audience": "us"}, {"aud": "them"}, 401),
    ({"audience": "us"}, {}, 401),
    ({}, {"aud": "anybody", "iss": "anybody"}, 200),
    ({"user_claim": "email"}, {"email": "a@example.org", "sub": None}, 200),
    ({"user_claim": "email"}, {}, 401),
    ({"user_claim": "uid"}, {"uid": 12}, 200),
])  # fmt: skip
async def test_what_the_app_demands_of_a_token(ask, settings: dict[str, str], token: dict[str, Any], status: int):
    answered, actor = await ask("required", bearer(signed(**token)), end_users={"jwt_secret": SECRET, **settings})
    assert answered.status_code == status
    if status == 200 and "user_claim" in settings:
        assert actor.user_id == str(token[settings["user_claim"]])


async def test_settings_hold_at_once(owner, anyone, scripted: Scripted, make_app: MakeApp):
    """Also for a token that was verified a moment ago."""
    app = await make_app(end_users={"jwt_secret": SECRET})
    path = f"/v1/{app.public_id}/fn/{await scripted.add(app, answer())}"
    assert (await anyone.get(path, headers=bearer(signed()))).status_code == 200
    token = signed()
    assert (await anyone.get(path, headers=bearer(token))).status_code == 200
    for secret, status in ((SECRET[::-1], 401), (SECRET, 200), (None, 401)):
        changed = await owner.patch(f"/v1/{app.slug}/config", json={"end_users": {"jwt_secret": secret}})
        assert changed.status_code == 200
        assert (await anyone.get(path, headers=bearer(token))).status_code == status


async def test_a_secret_and_a_hash_of_its_size(ask):
    """What can be guessed from one token is no secret: HS512 asks for 64 bytes."""
    for size, algorithm, status in ((32, "HS256", 200), (32, "HS512", 401), (64, "HS512", 200), (48, "HS384", 200)):
        secret = SECRET[:size]
        answered, _ = await ask("required", bearer(_sign(secret, algorithm)), end_users={"jwt_secret": secret})
        assert answered.status_code == status, (size, algorithm)


def _sign(secret: str, algorithm: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return signed(secret, algorithm)


async def test_which_app_a_slug_means(edge_store: Store, edge: Platform, scripted: Scripted, make_app: MakeApp):
    """The host's tenant comes before the token's, and the token's before the one that is there from the start."""
    app = await make_app()
    theirs = await Apps(edge_store, "acme").add(app.slug, name="Theirs")
    user = User(id=3, username="road", email="road@example.org")
    await enrol(edge_store, "acme-token", Caller(tenant="acme", user=user, role="user"))
    name = await scripted.add(app, answer(200, [], b"ours"), name="same", triggers=(http(auth="none"),))
    await scripted.add(theirs, answer(200, [], b"theirs"), name="same", triggers=(http(auth="none"),))

    async def called(id: str, host: str = "", token: str = "") -> tuple[int, bytes]:
        head = f"GET /v1/{id}/fn/{name} HTTP/1.1\nHost: {host or 'localhost'}"
        found = await raw(edge, head + (f"\nAuthorization: Bearer {token}" if token else ""))
        return found.status, found.body

    assert await called(app.slug) == (200, b"ours")
    assert await called(app.slug, token="acme-token") == (200, b"theirs")
    assert await called(app.slug, f"acme.{DOMAIN}") == (200, b"theirs")
    assert await called(app.slug, f"acme.{DOMAIN}", edge.token) == (200, b"theirs")
    assert await called(app.public_id, token="acme-token") == (200, b"ours")
    assert await called(theirs.public_id) == (200, b"theirs")
    assert (await called(app.public_id, f"acme.{DOMAIN}"))[0] == 404
    await edge_store.global_upsert("tenants", {"_id": "acme"}, {"$set": {"is_active": False}})


async def test_key_confusion_with_a_secret_beside_public_keys(ask, issuer: Issuer):
    """An HMAC made with a public key that everybody may read proves nothing."""
    issuer.keys = [jwk("rsa")]
    public = RSA.public_key()
    for key in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(jwk("rsa")).encode(),
    ):
        for settings in ({"jwks_url": issuer.url}, {"jwks_url": issuer.url, "jwt_secret": SECRET}):
            refused, _ = await ask("required", bearer(_hmac(key, kid="rsa")), end_users=settings)
            assert code(refused, 401) == "AUTH_INVALID_END_USER_JWT"


def _hmac(key: bytes, *, kid: str) -> str:
    """Made by hand: no library signs so."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    text = f"{part({'alg': 'HS256', 'kid': kid})}.{part(claims())}"
    mac = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
