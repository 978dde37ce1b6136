"""What a program asks of the guard: the head of a request to a proxy. Pure."""

import base64
import binascii
from typing import NamedTuple

_MAX_PORT = 65_535
_HTTP = b"http://"
# Between the client and the proxy only, or told anew.
_OURS = (b"host", b"connection", b"keep-alive")


class NotAskedError(ValueError):
    """It is no request that a proxy understands."""


class Asked(NamedTuple):
    """A connection that is wanted. `head` is what is to be said there first; empty for a tunnel.

    `name` and `secret` are who says to ask.
    """

    host: str
    port: int
    head: bytes
    name: str
    secret: str


def parse(head: bytes) -> Asked:
    """A request with its empty line. Raises NotAskedError."""
    first, *lines = head[:-4].split(b"\r\n")
    words = first.split(b" ")
    if len(words) != 3 or words[2] not in {b"HTTP/1.1", b"HTTP/1.0"}:  # noqa: PLR2004 - method, target, version
        raise NotAskedError("no request line of HTTP/1.1")
    headers = [_header(line) for line in lines]
    name, secret = _credentials(headers)
    method, target, _ = words
    if method == b"CONNECT":
        host, port = _place(target, usual_port=None)
        return Asked(host, port, b"", name, secret)
    if not target.lower().startswith(_HTTP):
        raise NotAskedError("neither a tunnel nor an http:// address")
    rest = target[len(_HTTP) :]
    authority = rest[: min((found for mark in b"/?#" if (found := rest.find(mark)) >= 0), default=len(rest))]
    path = rest[len(authority) :]
    host, port = _place(authority, usual_port=80)
    if not path.startswith(b"/"):
        path = b"/" + path
    return Asked(host, port, _onward(method, path, authority, headers), name, secret)


def last_of_connection(answer: bytes) -> bytes | None:
    """What there is of an answer, so that its head closes the connection; None while the head is not whole.

    Interim answers stay before it. One that switches protocols stays as it is.
    """
    start = 0
    while (end := answer.find(b"\r\n\r\n", start)) >= 0:
        status = answer[start:end].split(b" ", 2)[1:2]
        if status == [b"101"]:
            return answer
        if not (status and len(status[0]) == 3 and status[0].startswith(b"1")):  # noqa: PLR2004 - digits of a status
            first, *lines = answer[start:end].split(b"\r\n")
            kept = [line for line in lines if line.partition(b":")[0].strip().lower() not in _OURS]
            head = b"\r\n".join([first, b"connection: close", *kept])
            return answer[:start] + head + answer[end:]
        start = end + 4
    return None


def _onward(method: bytes, path: bytes, authority: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    """The request as its target is to see it: one on this connection, and not a word to the proxy."""
    upgrades = any(name == b"connection" and b"upgrade" in value.lower() for name, value in headers)
    lines = [
        b"%b %b HTTP/1.1" % (method, path),
        b"host: " + authority,
        b"connection: upgrade" if upgrades else b"connection: close",
    ]
    lines += [b"%b: %b" % one for one in headers if one[0] not in _OURS and not one[0].startswith(b"proxy-")]
    return b"\r\n".join([*lines, b"", b""])


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not name or name != name.strip() or b"\n" in line or b"\r" in line:
        raise NotAskedError("a header that is none")
    return name.lower(), value.strip()


def _place(authority: bytes, *, usual_port: int | None) -> tuple[str, int]:
    try:
        text = authority.decode("ascii")
    except UnicodeDecodeError:
        raise NotAskedError("a host that is not ASCII") from None
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text, str(usual_port or "")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise NotAskedError("a host with a colon")
    if not host or "@" in host or any(mark <= " " for mark in host):
        raise NotAskedError("no host")
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) <= _MAX_PORT):
        raise NotAskedError("no port")
    return host, int(port)


def _credentials(headers: list[tuple[bytes, bytes]]) -> tuple[str, str]:
    for name, value in headers:
        if name == b"proxy-authorization":
            scheme, _, encoded = value.partition(b" ")
            try:
                said = base64.b64decode(encoded, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                break
            if scheme.lower() == b"basic":
                user, _, secret = said.partition(":")
                return user, secret
    return "", ""
