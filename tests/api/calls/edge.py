"""What the tests of calls over HTTP share: requests written byte by byte, tokens, and a server of public keys."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.platform import Platform

WITHIN_S = 20.0
SECRET = "a secret that is known to both sides, long enough for HS512: 0123456789abcdef"  # 64 bytes and more


class Raw(NamedTuple):
    """An answer as it came over the wire."""

    status: int
    lines: list[tuple[str, str]]
    body: bytes

    def line(self, name: str) -> list[str]:
        return [value for key, value in self.lines if key == name]

    def json(self) -> Any:
        return json.loads(self.body)


async def raw(platform: Platform, head: str | bytes, body: bytes = b"") -> Raw:
    """Send this head, without the blank line at its end, and this body; the whole answer, when the server closes."""
    host, port = platform.url.removeprefix("http://").split(":")
    async with asyncio.timeout(WITHIN_S):
        reader, writer = await asyncio.open_connection(host, int(port))
        text = head.encode("latin-1") if isinstance(head, str) else head
        writer.write(text.replace(b"\n", b"\r\n") + b"\r\nConnection: close\r\n\r\n" + body)
        data = await reader.read()
        writer.close()
        await writer.wait_closed()
    return parsed(data)


def parsed(data: bytes) -> Raw:
    top, _, body = data.partition(b"\r\n\r\n")
    first, *rest = top.decode("latin-1").split("\r\n")
    lines = [(name.lower(), value) for name, _, value in (line.partition(": ") for line in rest)]
    return Raw(int(first.split(" ")[1]), lines, body)


def claims(**more: Any) -> dict[str, Any]:
    return {"sub": "user-7", "exp": int(time.time()) + 600, **more}


def signed(key: Any = SECRET, algorithm: str = "HS256", *, kid: str | None = None, **more: Any) -> str:
    """A token; a claim that is None is left out."""
    told = {name: value for name, value in claims(**more).items() if value is not None}
    return jwt.encode(told, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
KEYS: dict[str, Any] = {"rsa": RSA, "ec": EC, "ed": ED}
_JWK = {"rsa": RSAAlgorithm, "ec": ECAlgorithm, "ed": OKPAlgorithm}


def jwk(kid: str, **more: Any) -> dict[str, Any]:
    """The public half of a key."""
    made: dict[str, Any] = json.loads(_JWK[kid].to_jwk(KEYS[kid].public_key()))
    return {**made, "kid": kid, "use": "sig", **more}


class Issuer:
    """A server of public keys: `keys` are what it serves now, `asked` how often it was asked."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.status = 200
        self.document: bytes | None = None
        self.asked = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (await reader.readline()).strip():
            pass
        self.asked += 1
        body = json.dumps({"keys": self.keys}).encode() if self.document is None else self.document
        head = f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(body)}\r\nlocation: {self.url}x\r\nconnection: close"
        writer.write(head.encode() + b"\r\n\r\n" + body)
        writer.close()


@asynccontextmanager
async def issuing() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    server = await asyncio.start_server(issuer.serve, "127.0.0.1", 0)
    async with server:
        issuer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
        yield issuer
