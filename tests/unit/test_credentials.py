"""Who a function says it is: what is taken, what is sealed, what is shown."""

from typing import Any

import pytest

from services.api.core.credentials import Credentials
from shared.domain.credentials import MASK, check_auth, masked, place_of
from shared.domain.problem import Problem
from shared.secrets import Keyring

KEYRING = Keyring([b"k" * 32])
CONFIGS: list[dict[str, Any]] = [
    {"type": "bearer", "token": "t-0"},
    {"type": "api_key", "key": "k-0"},
    {"type": "api_key", "key": "k-0", "header": "X-Token"},
    {"type": "basic", "username": "ann", "password": "p ä:0"},
    {"type": "custom", "headers": {"X-A": "a-0", "X-B": "b-0"}},
]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config["type"])
def test_secrets_are_sealed_for_their_place_and_shown_masked(config: dict[str, Any]) -> None:
    check_auth(config)
    sealed = Credentials(KEYRING).sealed(config, tenant="acme", function_id=7)
    texts = {"token", "key", "password"} & config.keys()
    where = [*texts, *(f"headers/{name}" for name in config.get("headers", {}))]
    for path in where:
        head, _, name = path.partition("/")
        plain = config[head][name] if name else config[head]
        text = sealed[head][name] if name else sealed[head]
        assert plain not in text
        assert KEYRING.unseal(text, place=place_of("acme", 7, path)) == plain.encode()
    shown = masked(sealed)
    assert {shown[field] for field in texts} <= {MASK}
    assert set(shown.get("headers", {}).values()) <= {MASK}
    assert {field: shown[field] for field in config.keys() - texts - {"headers"}} == {
        field: config[field] for field in config.keys() - texts - {"headers"}
    }


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: config["type"])
def test_a_mask_that_comes_back_is_the_stored_secret(config: dict[str, Any]) -> None:
    credentials = Credentials(KEYRING)
    sealed = credentials.sealed(config, tenant="acme", function_id=7)
    check_auth(masked(sealed))
    assert credentials.sealed(masked(sealed), tenant="acme", function_id=7, before=sealed) == sealed
    with pytest.raises(Problem, match="is masked"):
        credentials.sealed(masked(sealed), tenant="acme", function_id=7)
    other = {"type": "bearer" if config["type"] != "bearer" else "api_key", "token": MASK, "key": MASK}
    with pytest.raises(Problem, match="is masked"):
        credentials.sealed(other, tenant="acme", function_id=7, before=sealed)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"token": "x"}, "type"), ({"type": "oauth"}, "type"), ({"type": ["bearer"]}, "type"),
        ({"type": "bearer"}, "token"),
        ({"type": "bearer", "token": ""}, "token"), ({"type": "bearer", "token": 5}, "token"),
        ({"type": "bearer", "token": "a\nb"}, "token"), ({"type": "bearer", "token": "ä"}, "token"),
        ({"type": "bearer", "token": "x" * 4001}, "token"), ({"type": "bearer", "token": "x", "key": "y"}, "key"),
        ({"type": "api_key"}, "key"), ({"type": "api_key", "key": "x", "header": "a b"}, "header"),
        ({"type": "api_key", "key": "x", "header": "Host"}, "header"), ({"type": "basic", "username": "a"}, "password"),
        ({"type": "basic", "username": "a:b", "password": "x"}, "username"), ({"type": "custom"}, "headers"),
        ({"type": "custom", "headers": {}}, "headers"), ({"type": "custom", "headers": {"X-A": 5}}, "headers"),
        ({"type": "custom", "headers": {"X A": "x"}}, "headers"), ({"type": "custom", "headers": ["X-A"]}, "headers"),
        ({"type": "custom", "headers": {"Content-Length": "5"}}, "headers"),
    ],
)  # fmt: skip
def test_what_is_no_credential_is_refused(config: dict[str, Any], field: str) -> None:
    with pytest.raises(Problem) as refused:
        check_auth(config)
    assert refused.value.code == "invalid"
    assert list(refused.value.fields) == [f"auth_config.{field}"]


def test_nothing_secret_is_kept_without_a_key() -> None:
    with pytest.raises(Problem) as refused:
        Credentials(Keyring([])).sealed(CONFIGS[0], tenant="acme", function_id=7)
    assert (refused.value.code, "SHOAL_SECRET_KEY" in refused.value.message) == ("unavailable", True)
