"""Who is who, without a server: hosts, signatures, roles, passwords."""

import contextlib
import time
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest

from services.api.core.hashing import Hashing
from services.api.core.logins import Logins
from shared import passwords
from shared.callers import hosts
from shared.callers.auth import Auth
from shared.callers.identity import Identity
from shared.callers.signing import Signer
from shared.domain.caller import ROLES, lesser
from shared.domain.problem import Problem
from shared.domain.tenant import Tenant
from shared.domain.token import Login, Token
from shared.domain.user import Account
from shared.secrets import Keyring

KEYS = [bytes([number]) * 32 for number in (1, 2)]
NAMES = {"tenant": "acme", "user_id": 7, "login": "ab" * 12, "turn": 3}


@pytest.mark.parametrize(
    ("host", "tenant"),
    [
        ("acme.shoal.example.org", "acme"),
        ("ACME.Shoal.Example.ORG.:8443", "acme"),
        ("a-1.shoal.example.org", "a-1"),
        ("shoal.example.org", None),
        ("shoal.example.org:80", None),
        ("localhost:8000", None),
        ("127.0.0.1:8000", None),
        ("[::1]:8000", None),
        ("api", None),
        ("acme.shoal.example.org.evil.test", None),
        ("acmeshoal.example.org", None),
        ("shoal_api_1:8000", None),
    ],
)
def test_hosts(host: str, tenant: str | None):
    assert hosts.tenant_of(host, "shoal.example.org") == tenant


@pytest.mark.parametrize("label", ["a.b", "xn--acme-1", "a_b", "x" * 51])
def test_hosts_below_the_domain_that_are_nobody_s(label: str):
    with pytest.raises(Problem) as raised:
        hosts.tenant_of(f"{label}.shoal.example.org", "shoal.example.org")
    assert raised.value.code == "not_found"


@pytest.mark.parametrize("host", ["", " ", "a b", "a..b", "-a.b", "ä.b", "a/b", "a@b", "a.b:x", "[::1", "a" * 254, "ⓐ"])
def test_no_hosts(host: str):
    with pytest.raises(Problem) as raised:
        hosts.tenant_of(host, "shoal.example.org")
    assert raised.value.code == "invalid"


def test_without_a_domain_hosts_say_nothing():
    assert hosts.tenant_of("acme.shoal.example.org", "") is None
    assert hosts.tenant_of("a b", "") is None


def test_a_key_that_was_rotated_still_verifies_and_the_new_one_signs():
    old = Signer(Keyring(KEYS[1:]), access_s=60, refresh_s=60)
    both = Signer(Keyring(KEYS), access_s=60, refresh_s=60)
    new = Signer(Keyring(KEYS[:1]), access_s=60, refresh_s=60)
    of_old, of_both = old.signed("access", **NAMES), both.signed("access", **NAMES)
    assert both.access(of_old) == old.access(of_old) is not None
    assert new.access(of_both) is not None
    assert new.access(of_old) is None
    assert old.access(of_both) is None


def test_a_remembered_token_ends_when_it_ends(monkeypatch: pytest.MonkeyPatch):
    signer = Signer(Keyring(KEYS), access_s=60, refresh_s=60)
    token = signer.signed("access", **NAMES)
    assert signer.access(token) == ("acme", 7, "ab" * 12, 3, pytest.approx(time.time() + 60, abs=5))
    monkeypatch.setattr(Signer, "read", None)  # from here on it is remembered
    assert signer.access(token) is not None
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert signer.access(token) is None


def test_a_token_of_a_replica_whose_clock_is_ahead_is_good(monkeypatch: pytest.MonkeyPatch):
    signer = Signer(Keyring(KEYS), access_s=60, refresh_s=600)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 5)
    ahead = signer.signed("access", **NAMES)
    monkeypatch.undo()
    assert signer.access(ahead) is not None


def test_an_access_token_refreshes_nothing():
    signer = Signer(Keyring(KEYS), access_s=60, refresh_s=60)
    assert signer.read("refresh", signer.signed("access", **NAMES)) is None
    assert signer.read("access", signer.signed("refresh", **NAMES)) is None


def test_without_a_key_nothing_is_signed_and_nothing_verified():
    signer = Signer(Keyring([]), access_s=60, refresh_s=60)
    with pytest.raises(Problem) as raised:
        signer.signed("access", **NAMES)
    assert raised.value.code == "unavailable"
    assert signer.access(jwt.encode({"sub": "1"}, KEYS[0], algorithm="HS256")) is None


def test_the_lesser_role():
    assert [[lesser(one, other) for one in ROLES] for other in ROLES] == [
        ["admin", "developer", "user"], ["developer", "developer", "user"], ["user", "user", "user"],
    ]  # fmt: skip


def test_passwords():
    kept = passwords.hashed("correct horse")
    assert kept.startswith("$argon2id$")
    assert passwords.matches("correct horse", kept)
    assert not passwords.matches("wrong", kept)
    assert not passwords.matches("nobody's", "")
    assert not passwords.matches("anything", "garbage")
    assert not passwords.outdated(kept)


async def test_who_is_known_costs_no_look_into_the_store(monkeypatch: pytest.MonkeyPatch):
    now, asked = datetime.now(UTC), []

    def answer(value: object) -> Any:
        async def ask(_key: object) -> object:
            asked.append(type(value).__name__)
            return value

        return ask

    identity = Identity(None, None, believed_s=60)  # type: ignore[arg-type]  # neither may be asked for anything
    account = Account(id=7, tenant="acme", username="a", created_at=now)
    token = Token(id=1, tenant="acme", name="t", user_id=7, role="admin", created_at=now)
    login = Login(id=NAMES["login"], tenant="acme", user_id=7, session=0, expires_at=now, created_at=now)
    for cache, value in (("tenants", Tenant(slug="acme")), ("users", account), ("tokens", token), ("logins", login)):
        monkeypatch.setattr(getattr(identity, f"_{cache}"), "_ask", answer(value))
    signer = Signer(Keyring(KEYS), access_s=60, refresh_s=60)
    auth = Auth(identity, signer, domain="shoal.example.org")
    for sent in ("shoal_x", signer.signed("access", **NAMES)):
        for _ in range(3):
            headers = [(b"host", b"acme.shoal.example.org"), (b"authorization", f"Bearer {sent}".encode())]
            caller = await auth.caller(headers)
            assert (caller.tenant, caller.user.id, caller.role) == ("acme", 7, "user")
    assert sorted(asked) == ["Account", "Login", "Tenant", "Token"]


async def test_logins_that_find_no_room_ask_nobody():
    class Asked:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    hashing = Hashing(at_once=1)
    logins: Any = Logins(Asked(), Asked(), Asked(), hashing)  # type: ignore[arg-type]
    with contextlib.ExitStack() as others:
        for _ in range(101):
            others.enter_context(hashing.room())
        with pytest.raises(Problem) as refused:
            await logins.by_password("acme", "ada", "a password")
        assert refused.value.code == "unavailable"
    with pytest.raises(AssertionError):  # there is room again
        await logins.by_password("acme", "ada", "a password")
