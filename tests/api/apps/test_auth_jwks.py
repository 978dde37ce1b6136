"""End users whose tokens are signed with keys that an app's issuer publishes."""

import asyncio
import json
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from tests.api.apps.conftest import MakeApp
from tests.api.apps.edge import EC, ED, KEYS, RSA, Issuer, claims, jwk, signed
from tests.api.apps.scripted import Scripted, answer, http

Case = tuple[str, str]
GOOD: list[Case] = [
    *(("rsa", algorithm) for algorithm in ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")),
    ("ec", "ES256"),
    ("ed", "EdDSA"),
]


@pytest.fixture
def ask(anyone: httpx.AsyncClient, scripted: Scripted, make_app: MakeApp, issuer: Issuer):
    """Call a function of one app whose end users the issuer signs for; status and code of the answer."""
    made: dict[str, str] = {}

    async def one(token: str, auth: str = "required") -> tuple[int, str]:
        if auth not in made:
            app = await make_app(end_users={"jwks_url": issuer.url})
            made[auth] = f"/v1/{app.public_id}/fn/{await scripted.add(app, answer(), triggers=(http(auth=auth),))}"
        answered = await anyone.get(made[auth], headers={"Authorization": f"Bearer {token}"})
        return answered.status_code, "" if answered.status_code == 200 else answered.json()["error"]["code"]

    return one


BAD = (401, "AUTH_INVALID_END_USER_JWT")


@pytest.mark.parametrize(("kid", "algorithm"), GOOD)
async def test_every_kind_of_key(ask, issuer: Issuer, kid: str, algorithm: str):
    issuer.keys = [jwk(name) for name in KEYS]
    assert await ask(signed(KEYS[kid], algorithm, kid=kid)) == (200, "")
    assert await ask(signed(KEYS[kid], algorithm)) == (200, ""), "one key of its kind needs no name"


async def test_keys_are_fetched_once(ask, issuer: Issuer):
    issuer.keys = [jwk("rsa")]
    answers = await asyncio.gather(*(ask(signed(RSA, "RS256", kid="rsa", n=number)) for number in range(3)))
    assert answers == [(200, "")] * 3
    assert issuer.asked == 1


async def test_a_flood_of_unknown_keys_is_no_flood_at_the_issuer(ask, issuer: Issuer):
    issuer.keys = [jwk("rsa")]
    assert await ask(signed(RSA, "RS256", kid="rsa")) == (200, "")
    for number in range(20):
        assert await ask(signed(RSA, "RS256", kid=f"made-up-{number}")) == BAD
    assert issuer.asked == 1, "what was fetched less than 30 s ago is not fetched again"
    assert await ask(signed(RSA, "RS256", kid="rsa")) == (200, "")


async def test_a_key_signs_by_the_algorithms_of_its_kind_only(ask, issuer: Issuer):
    issuer.keys = [jwk("rsa", alg="RS256"), jwk("ec"), jwk("ed", use="enc")]
    assert await ask(signed(RSA, "RS256", kid="rsa")) == (200, "")
    assert await ask(signed(RSA, "RS512", kid="rsa")) == BAD
    assert await ask(signed(EC, "ES256", kid="rsa")) == BAD
    assert await ask(signed(ED, "EdDSA", kid="ed")) == BAD


async def test_a_signature_of_somebody_else(ask, issuer: Issuer):
    issuer.keys = [jwk("rsa")]
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    assert await ask(signed(other, "RS256", kid="rsa")) == BAD


async def test_a_key_that_the_token_brings_along_is_not_looked_at(ask, issuer: Issuer):
    issuer.keys = [jwk("rsa")]
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    own = json.loads(RSAAlgorithm.to_jwk(other.public_key()))
    for header in ({"jwk": own}, {"jku": issuer.url}, {"x5u": issuer.url}):
        token = jwt.encode(claims(), other, algorithm="RS256", headers={"kid": "rsa", **header})
        assert await ask(token) == BAD
    assert issuer.asked == 1


def _weak() -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return dict(json.loads(RSAAlgorithm.to_jwk(key.public_key())))


UNFIT: list[Any] = [
    {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U", "kid": "x"},
    {"kty": "RSA", "kid": "x"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "x"},
    {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "x"},
    {"kty": "EC", "crv": "secp256k1", "kid": "x"},
    {"kty": ["RSA"]},
    {"kty": "RSA", "n": 7, "e": 7},
    "text",
    None,
    _weak(),
    {**jwk("rsa"), "e": "AQAAAAAAAAAB"},
    {**jwk("rsa"), "kid": 7},
]


async def test_keys_that_are_none_are_passed_over(ask, issuer: Issuer):
    issuer.keys = [*UNFIT, jwk("ec")]
    assert await ask(signed(EC, "ES256", kid="ec")) == (200, "")
    assert await ask(signed(RSA, "RS256", kid="x")) == BAD


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b"{}", b'{"keys": 7}', b"<html>", b"\xff", b"[" * 100_000, b'{"keys": []}' + b" " * 300_000],
)
async def test_what_is_no_set_of_keys(ask, issuer: Issuer, document: bytes):
    issuer.document = document
    assert await ask(signed(RSA, "RS256", kid="rsa")) == (503, "SERVICE_UNAVAILABLE")
    assert await ask(signed(RSA, "RS256", kid="rsa"), "optional") == (200, ""), "who cannot be asked about is nobody"
    assert issuer.asked == 1


@pytest.mark.parametrize("status", [301, 302, 404, 500])
async def test_an_issuer_that_answers_otherwise(ask, issuer: Issuer, status: int):
    issuer.status, issuer.keys = status, [jwk("rsa")]
    assert await ask(signed(RSA, "RS256", kid="rsa")) == (503, "SERVICE_UNAVAILABLE")
    assert issuer.asked == 1, "a redirect is not followed"


async def test_no_keys_are_fetched_from_a_private_network(anyone, scripted: Scripted, make_app: MakeApp):
    """The guard lets through what the operator has opened: here 127.0.0.1, and no more."""
    app = await make_app(end_users={"jwks_url": "http://127.0.0.2:9/keys"})
    path = f"/v1/{app.public_id}/fn/{await scripted.add(app, answer())}"
    token = signed(RSA, "RS256", kid="rsa")
    answered = await anyone.get(path, headers={"Authorization": f"Bearer {token}"})
    assert (answered.status_code, answered.json()["error"]["message"]) == (
        503,
        "The keys of this app's end users cannot be fetched just now",
    )
