"""What is secret at rest: sealed with AES-256-GCM under the operator's key, bound to the place where it is kept.

A sealed text is `s1.<key>.<data>`: which key sealed it, and salt, nonce and ciphertext in base64. Every text has a key
of its own, derived from the operator's by HKDF-SHA256 with the salt, so that no key is ever used twice.

The library is loaded by the first use: it takes eight megabytes, and most services never seal anything.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from shared.config import ConfigError, Platform
from shared.domain.problem import Problem
from shared.domain.signing_secrets import PREFIX

KEY_BYTES = 32
_SIGNING_BYTES = 32
_SALT_BYTES = 16
_NONCE_BYTES = 12
_TAG_BYTES = 16
_VERSION = "s1"
_NAME_DIGITS = 8


class SealBrokenError(Exception):
    """A sealed text that no key at hand opens: it was changed, moved to another place, or sealed by a lost key."""


class Keyring:
    """The operator's keys: the first one seals, every one opens. Without keys nothing can be kept secret."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {_name(key): key for key in keys}
        self._first = next(iter(self._keys), "")

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def names(self) -> list[str]:
        """What the keys are called in what they seal, the first one's first."""
        return list(self._keys)

    @property
    def first(self) -> str:
        """The name of the key that seals; empty without any."""
        return self._first

    def check(self) -> None:
        """Raises Problem(unavailable) where there is no key to seal with."""
        self._key()

    def seal(self, plain: bytes, *, place: str) -> str:
        """The text to store. `place` says where, and has to be said again to open it. Raises Problem(unavailable)."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
        cipher = AESGCM(_derived(self._key(), salt=salt, purpose=b"seal"))
        data = salt + nonce + cipher.encrypt(nonce, plain, place.encode())
        return f"{_VERSION}.{self._first}.{base64.urlsafe_b64encode(data).decode()}"

    def unseal(self, sealed: str, *, place: str) -> bytes:
        """What was sealed for this place. Raises SealBrokenError."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        version, _, rest = sealed.partition(".")
        name, _, text = rest.partition(".")
        key = self._keys.get(name)
        if version != _VERSION or key is None:
            raise SealBrokenError(f"sealed by the key {name[:_NAME_DIGITS]}, which is not among the keys at hand")
        try:
            data = base64.b64decode(text, altchars=b"-_", validate=True)
            salt, nonce = data[:_SALT_BYTES], data[_SALT_BYTES : _SALT_BYTES + _NONCE_BYTES]
            cipher = AESGCM(_derived(key, salt=salt, purpose=b"seal"))
            return cipher.decrypt(nonce, data[_SALT_BYTES + _NONCE_BYTES :], place.encode())
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise SealBrokenError("the sealed text was changed, or moved from another place") from error

    @staticmethod
    def size(sealed: str) -> int:
        """How many bytes a sealed text holds; no key is needed to know."""
        data = sealed.rpartition(".")[2]
        return len(data) * 3 // 4 - data.count("=") - _SALT_BYTES - _NONCE_BYTES - _TAG_BYTES

    def derived(self, purpose: str) -> list[bytes]:
        """A key of 32 bytes for another purpose from each key, the first one's first. Raises Problem(unavailable)."""
        self._key()
        return [_derived(key, salt=b"", purpose=purpose.encode()) for key in self._keys.values()]

    def _key(self) -> bytes:
        if not self._keys:
            message = "The operator has set no SHOAL_SECRET_KEY: nothing secret can be stored"
            raise Problem("unavailable", message)
        return self._keys[self._first]


def new_signing_secret() -> str:
    """A secret that messages are signed with, in the form of Standard Webhooks."""
    return PREFIX + base64.b64encode(os.urandom(_SIGNING_BYTES)).decode()


def open_keyring(platform: Platform) -> Keyring:
    """The keys of `SHOAL_SECRET_KEY`, or else of the file that `SHOAL_SECRET_KEY_FILE` names. Raises ConfigError."""
    if platform.secret_key:
        return Keyring(keys_of(platform.secret_key))
    return Keyring(keys_of_file(Path(platform.secret_key_file)) if platform.secret_key_file else [])


def keys_of(text: str) -> list[bytes]:
    """The keys of a setting, by commas. Raises ConfigError."""
    return _keys(text.split(","), setting="SHOAL_SECRET_KEY")


def keys_of_file(path: Path) -> list[bytes]:
    """The keys of a file, one a line. Raises ConfigError."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"SHOAL_SECRET_KEY_FILE: {path} cannot be read: {error}"
        raise ConfigError(message) from None
    return _keys([line for line in lines if line.strip()], setting="SHOAL_SECRET_KEY_FILE")


def key_of(sealed: str) -> str:
    """The name of the key that sealed a text; empty for what is no sealed text."""
    version, _, rest = sealed.partition(".")
    name, dot, _ = rest.partition(".")
    return name if version == _VERSION and dot and len(name) == _NAME_DIGITS else ""


def _keys(texts: Sequence[str], *, setting: str) -> list[bytes]:
    try:
        keys = [bytes.fromhex(text.strip()) for text in texts]
    except ValueError:
        keys = [b""]
    if not keys or any(len(key) != KEY_BYTES for key in keys):
        message = f"{setting}: each key must be {2 * KEY_BYTES} hexadecimal digits"
        raise ConfigError(message)
    return keys


def _name(key: bytes) -> str:
    """What a key is called in what it sealed; says nothing about the key."""
    return hashlib.sha256(b"name" + key).hexdigest()[:_NAME_DIGITS]


def _derived(key: bytes, *, salt: bytes, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=b"shoal " + purpose).derive(key)
