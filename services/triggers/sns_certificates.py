"""Certificates that SNS signs with, fetched and kept for a while."""

import asyncio
import base64
import binascii
import re
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from services.triggers.sns_web import NotFromSns, Source, Web
from shared.domain.problem import Problem

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_KEPT_S = 3600.0  # before it is fetched again
_MOST_KEPT = 100
_MOST_FETCHES = 30  # that begin within a minute: there is a certificate a region, and a new one a year
_FETCHES_IN_S = 60.0
_MISSED_S = 60.0  # before a certificate that is not there is asked for again
_KEY_BITS = range(2048, 8193)
_SUBJECT = re.compile(r"sns(?:\.[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?")


class Certificate:
    """A certificate of SNS's, good for as long as it says."""

    def __init__(self, found: "x509.Certificate", key: "RSAPublicKey") -> None:
        self._key = key
        self._good = (found.not_valid_before_utc.timestamp(), found.not_valid_after_utc.timestamp())

    def check(self, text: bytes, signature: str, *, version: Literal["1", "2"]) -> None:
        """Raises NotFromSns unless the text was signed with its key, and it is good now."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        if not self._good[0] <= time.time() <= self._good[1]:
            raise NotFromSns("The certificate is not valid now")
        digest = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - what version 1 is signed with
        try:
            self._key.verify(base64.b64decode(signature, validate=True), text, PKCS1v15(), digest)
        except (InvalidSignature, binascii.Error, ValueError):
            raise NotFromSns("The signature is not by the certificate that the message names") from None


class _Kept(NamedTuple):
    certificate: Certificate
    fetched_at: float


class Certificates:
    """The certificates by their URL, each fetched once for all who want it, and believed while it cannot be again."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._kept: dict[str, _Kept] = {}
        self._missed: dict[str, float] = {}  # by URL, until when
        self._begun: deque[float] = deque(maxlen=_MOST_FETCHES)
        self._fetching: dict[str, asyncio.Task[Certificate]] = {}

    async def get(self, url: str) -> Certificate:
        """The certificate. Raises NotFromSns where there is none, Problem(unavailable)."""
        kept = self._kept.get(url)
        if kept is not None and time.monotonic() - kept.fetched_at < _KEPT_S:
            return kept.certificate
        source = self._web.certificate(url)
        if time.monotonic() < self._missed.get(url, 0.0):
            raise NotFromSns("There is no certificate where the message says")
        try:
            return await asyncio.shield(self._fetching.get(url) or self._begin(source))
        except Problem:
            if kept is None:
                raise
            return kept.certificate

    def _begin(self, source: Source) -> "asyncio.Task[Certificate]":
        now = time.monotonic()
        if len(self._begun) == _MOST_FETCHES and now - self._begun[0] < _FETCHES_IN_S:
            raise Problem("unavailable", "Too many certificates are asked for just now")
        self._begun.append(now)
        fetching = self._fetching[source.url] = asyncio.create_task(self._fetch(source))
        fetching.add_done_callback(lambda _: self._fetching.pop(source.url, None))
        fetching.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may be waiting any more
        return fetching

    async def _fetch(self, source: Source) -> Certificate:
        found = await self._web.get(source)
        try:
            certificate = certificate_of(found, is_operators=source.is_operators)
        except NotFromSns:
            _keep(self._missed, source.url, time.monotonic() + _MISSED_S)
            raise
        _keep(self._kept, source.url, _Kept(certificate, time.monotonic()))
        return certificate

    async def close(self) -> None:
        """Give up what is being fetched."""
        fetching = set(self._fetching.values())
        for task in fetching:
            task.cancel()
        if fetching:
            await asyncio.wait(fetching)


def certificate_of(document: bytes | None, *, is_operators: bool) -> Certificate:
    """Raises NotFromSns for what is none, or not in the name of SNS; the operator's own hosts have other names."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        found = x509.load_pem_x509_certificate(document or b"")
        key = found.public_key()
        is_sns = is_operators or any(_SUBJECT.fullmatch(name) for name in _names(found))
    except (ValueError, UnsupportedAlgorithm):
        raise NotFromSns("There is no certificate where the message says") from None
    if not isinstance(key, RSAPublicKey) or key.key_size not in _KEY_BITS or not is_sns:
        raise NotFromSns("The certificate is not one of SNS")
    return Certificate(found, key)


def _names(found: "x509.Certificate") -> list[str]:
    from cryptography import x509

    names = [str(one.value) for one in found.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    try:
        other = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return names
    return names + other.get_values_for_type(x509.DNSName)


def _keep(table: dict[str, Any], url: str, value: object) -> None:
    """Keep the newest of so many."""
    table.pop(url, None)
    if len(table) >= _MOST_KEPT:
        del table[next(iter(table))]
    table[url] = value
