"""What is sealed is opened by whoever has the key, in its place, and nowhere else."""

from pathlib import Path

import msgspec
import pytest

from shared.config import ConfigError, Platform
from shared.domain.problem import Problem
from shared.secrets import Keyring, SealBrokenError, open_keyring

OLD, NEW = b"o" * 32, b"n" * 32
PLATFORM = Platform(nats_url="nats://x", mongodb_url="mongodb://y")


def test_what_is_sealed_comes_back_and_never_looks_the_same_twice():
    keyring = Keyring([NEW])
    sealed = [keyring.seal(b"token", place="acme/1") for _ in range(2)]
    assert sealed[0] != sealed[1]
    assert all("token" not in text for text in sealed)
    assert [keyring.unseal(text, place="acme/1") for text in sealed] == [b"token", b"token"]


@pytest.mark.parametrize(
    "change", [lambda text: text[:-4] + "AAA=", lambda text: text + "x", lambda _: "plain", lambda _: ""]
)
def test_what_was_changed_is_not_opened(change):
    keyring = Keyring([NEW])
    with pytest.raises(SealBrokenError):
        keyring.unseal(change(keyring.seal(b"token", place="acme/1")), place="acme/1")


def test_what_was_moved_is_not_opened():
    keyring = Keyring([NEW])
    with pytest.raises(SealBrokenError, match="another place"):
        keyring.unseal(keyring.seal(b"token", place="acme/1"), place="evil/1")


def test_keys_are_rotated_by_putting_the_new_one_first():
    before, after = Keyring([OLD]), Keyring([NEW, OLD])
    sealed = before.seal(b"token", place="p")
    assert after.unseal(sealed, place="p") == b"token"
    assert Keyring([NEW]).unseal(after.seal(b"token", place="p"), place="p") == b"token"
    with pytest.raises(SealBrokenError, match="not among the keys"):
        Keyring([NEW]).unseal(sealed, place="p")


def test_derived_keys_differ_by_purpose_and_key():
    one, two = Keyring([NEW, OLD]).derived("login")
    assert len(one) == 32
    assert len({one, two, *Keyring([NEW]).derived("other")}) == 3
    assert Keyring([NEW]).derived("login") == [one]


def test_without_keys_nothing_is_kept_secret():
    with pytest.raises(Problem, match="SHOAL_SECRET_KEY"):
        Keyring([]).seal(b"token", place="p")
    with pytest.raises(Problem, match="SHOAL_SECRET_KEY"):
        Keyring([]).derived("login")


def test_keys_come_from_the_variable_or_the_file(tmp_path: Path):
    file = tmp_path / "secret.key"
    file.write_text(f"{NEW.hex()}\n{OLD.hex()}\n")
    sealed = open_keyring(msgspec.structs.replace(PLATFORM, secret_key=NEW.hex())).seal(b"x", place="p")
    assert open_keyring(msgspec.structs.replace(PLATFORM, secret_key_file=str(file))).unseal(sealed, place="p") == b"x"
    assert not open_keyring(PLATFORM)


@pytest.mark.parametrize(
    "settings", [{"secret_key": "abc"}, {"secret_key": "zz" * 32}, {"secret_key_file": "/does/not/exist"}]
)
def test_a_key_that_is_none_stops_the_boot(settings: dict[str, str]):
    with pytest.raises(ConfigError, match="SHOAL_SECRET_KEY"):
        open_keyring(msgspec.structs.replace(PLATFORM, **settings))
