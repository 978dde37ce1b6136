"""The world for tests of the guard: HTTP and HTTPS servers, names that stand for what a test says, and passes."""

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from shared.config import Platform
from shared.egress.lookup import Lookup

OPEN = "127.0.0.2"
"""Stands for the public internet: an address of this machine that the operator has opened. 127.0.0.1 stays private."""
NAME = "allowed.test"


class Names:
    """The resolver. What it is told stands before what the system says; of several answers each is given once."""

    def __init__(self, **unused: str) -> None:
        self.told: dict[str, list[str]] = {NAME: [OPEN]}
        self.asked: list[str] = []
        self._system = Lookup()

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        told = self.told.get(host.removesuffix("."))
        if told is None:
            return await self._system(host, port)
        return [told.pop(0) if len(told) > 1 else told[0]]


class Server:
    """Answers every request alike, and remembers what it was sent."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.heads: list[bytes] = []
        self.port = 0

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, f"content-length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


@asynccontextmanager
async def serving(
    said: bytes = answer(b"hello"), *, host: str = OPEN, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    made = Server(said)
    server = await asyncio.start_server(made.converse, host, 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


def platform(**settings: object) -> Platform:
    told: dict[str, object] = {
        "nats_url": "nats://127.0.0.1:4222",
        "mongodb_url": "mongodb://127.0.0.1:27017",
        "egress_allow": f"{OPEN}/32",
    }
    return Platform(**(told | settings))  # type: ignore[arg-type]


def certify(folder: Path) -> tuple[ssl.SSLContext, str]:
    """A server's TLS for NAME, and the file with the authority that vouches for it."""
    folder.chmod(0o755)
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
    authority = _certificate(issuer, issuer, authority_key, authority_key, authority=True)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    leaf = _certificate(subject, issuer, key, authority_key, authority=False)
    (folder / "authority.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / "leaf.pem").write_bytes(
        leaf.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "leaf.pem")
    return tls, str(folder / "authority.pem")


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    signs: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address(OPEN))]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signs, hashes.SHA256())
    )
