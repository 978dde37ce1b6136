"""Public keys of those who sign for an app's end users, fetched from where the app says and kept for a while.

A JWKS names a key by its `kid`; only public keys of kinds we verify with are taken, of a size that costs no more than a
signature should.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from shared.domain.problem import Problem

Fetch = Callable[[str], Awaitable[bytes]]
"""The document at a URL, bounded in size and time. Raises Problem(unavailable)."""

_AGAIN_S = 30.0  # before a set is fetched again for a key that is not in it
_FAILED_S = 5.0  # before another try at a set that could not be fetched
_MOST_URLS = 1000
_MOST_KEYS = 100
_MOST_FETCHES = 16  # at once; who comes later waits
_RSA_BITS = (2048, 8192)
_MOST_EXPONENT = 1 << 32
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})


class Key(NamedTuple):
    """A public key, as PyJWT has it, and the algorithms that it may be used with."""

    kid: str
    algorithms: frozenset[str]
    key: Any


class _Set(NamedTuple):
    keys: list[Key]
    fetched_at: float


class Jwks:
    """The key sets by their URL, each believed for `believed_s`, and for as long as it cannot be fetched."""

    def __init__(self, fetch: Fetch, *, believed_s: float) -> None:
        self._fetch = fetch
        self._believed_s = believed_s
        self._sets: dict[str, _Set] = {}
        self._tried: dict[str, float] = {}
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(_MOST_FETCHES)

    async def key(self, url: str, kid: str, algorithm: str) -> Key | None:
        """The key of that name for that algorithm, or None; a set's only one where no name is said.

        Raises Problem(unavailable) where the set has never been fetched and cannot be.
        """
        known = self._sets.get(url)
        if known is None or time.monotonic() - known.fetched_at > self._believed_s:
            await self._refresh(url, after_s=_FAILED_S)
            known = self._sets.get(url)
        if known is None:
            raise Problem("unavailable", "The keys of this app's end users cannot be fetched just now")
        found = _pick(known.keys, kid, algorithm)
        if found is None:
            await self._refresh(url, after_s=_AGAIN_S)
            found = _pick(self._sets[url].keys, kid, algorithm) if url in self._sets else None
        return found

    async def _refresh(self, url: str, *, after_s: float) -> None:
        """Fetch it, once for all who want it now, unless that was tried a moment ago."""
        fetching = self._fetching.get(url)
        if fetching is None:
            if time.monotonic() - self._tried.get(url, -1e9) < after_s:
                return
            _note(self._tried, url, time.monotonic())
            fetching = self._fetching[url] = asyncio.create_task(self._load(url))
            fetching.add_done_callback(lambda _: self._fetching.pop(url, None))
        await asyncio.shield(fetching)

    async def _load(self, url: str) -> None:
        try:
            async with self._places:
                keys = keys_of(await self._fetch(url))
        except Problem:
            return  # what was known goes on being used
        _note(self._sets, url, _Set(keys, time.monotonic()))


def keys_of(document: bytes) -> list[Key]:
    """The keys of a set that can be used; others are passed over. Raises Problem(unavailable) for what is no set."""
    try:
        found = msgspec.json.decode(document, type=dict[str, Any]).get("keys")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise Problem("unavailable", "What was fetched is no set of keys")
    keys = (_key(entry) for entry in found[:_MOST_KEYS] if isinstance(entry, dict))
    return [key for key in keys if key is not None]


def _key(entry: dict[str, Any]) -> Key | None:
    """Never a symmetric one: it would be known to whoever reads the set."""
    import jwt

    algorithms = _algorithms(entry)
    if not algorithms or entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(entry, algorithm=min(algorithms)).key
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        return None
    kid = entry.get("kid", "")
    return Key(kid, algorithms, key) if isinstance(kid, str) and _is_fit(key) else None


def _algorithms(entry: dict[str, Any]) -> frozenset[str]:
    match entry:
        case {"d": _}:
            return frozenset()  # a private key has no business there
        case {"kty": "RSA"}:
            fit = _RSA
        case {"kty": "EC", "crv": str(curve)} if curve in _CURVES:
            fit = frozenset({_CURVES[curve]})
        case {"kty": "OKP", "crv": "Ed25519"}:
            fit = frozenset({"EdDSA"})
        case _:
            return frozenset()
    return fit & {entry["alg"]} if isinstance(entry.get("alg"), str) else fit


def _is_fit(key: Any) -> bool:
    numbers = getattr(key, "public_numbers", lambda: None)()
    exponent = getattr(numbers, "e", None)
    if exponent is None:
        return True
    least, most = _RSA_BITS
    return least <= int(key.key_size) <= most and int(exponent) < _MOST_EXPONENT


def _pick(keys: list[Key], kid: str, algorithm: str) -> Key | None:
    fit = [key for key in keys if algorithm in key.algorithms and (not kid or key.kid == kid)]
    return fit[0] if fit and (kid or len(fit) == 1) else None


def _note(table: dict[str, Any], url: str, value: object) -> None:
    """Keep the newest of so many."""
    table.pop(url, None)
    if len(table) >= _MOST_URLS:
        del table[next(iter(table))]
    table[url] = value
