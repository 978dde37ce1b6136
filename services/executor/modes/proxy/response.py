"""What came back from a webhook, as a result. Pure."""

import base64
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import httpx
import msgspec

from services.executor.modes.proxy.charsets import charset_of
from shared.domain.credentials import MASK

_DECODED = {"gzip": 47, "x-gzip": 47, "deflate": 47}  # zlib's window bits: gzip and zlib alike
_TEXTS = ("application/x-www-form-urlencoded", "application/javascript", "application/xml", "application/graphql")
_EXCERPT = 500  # characters of the body in an error


class Answer(NamedTuple):
    """A response as it came. `body` has at most so many bytes as were asked for; `is_cut` says that there was more."""

    status: int
    reason: str
    headers: httpx.Headers
    body: bytes
    is_cut: bool


class Result(NamedTuple):
    """JSON text within its bound, and what was left out of it; `json` is None where not even the headers fit."""

    json: bytes | None
    warnings: list[str]


def result_of(answer: Answer, *, most_bytes: int, hidden: Sequence[str]) -> Result:
    """Status, headers and body as a JSON object of at most `most_bytes`; secrets in it are masked."""
    answer, (body, is_cut) = _without(answer, hidden), _decoded(answer, most_bytes)
    body = _masked(body, hidden)
    is_cut = is_cut or answer.is_cut
    head = {"status_code": answer.status, "headers": {name: value for name, value in answer.headers.items()}}  # noqa: C416 - Headers is no dict
    json = None if is_cut else msgspec.json.encode(head | _body(answer.headers, body))
    if json is not None and len(json) <= most_bytes:
        return Result(json, [])
    short = _shortened(head, answer.headers, body, most_bytes=most_bytes)
    in_pieces = answer.is_cut and len(answer.body) < most_bytes
    why = "came in too many pieces" if in_pieces else f"is longer than {most_bytes} bytes"
    return Result(short, [f"ResultTruncated: the answer {why}"] if short else [])


def sentence_of(answer: Answer, hidden: Sequence[str]) -> str:
    """What a status that is an error says, with the beginning of its body."""
    answer, (body, _) = _without(answer, hidden), _decoded(answer, 4 * _EXCERPT)
    text = _masked(body, hidden).decode("utf-8", "replace")
    excerpt = "".join(character if character.isprintable() else " " for character in text[:_EXCERPT]).strip()
    said = f"the webhook answered {answer.status} {answer.reason}".rstrip()
    return f"{said}: {excerpt}" if excerpt else said


def _body(headers: httpx.Headers, body: bytes) -> dict[str, Any]:
    kind, charset = _kind(headers)
    if kind == "application/json" or kind.endswith("+json"):
        json = _json(body)
        if json is not None:
            return {"body": json}
    try:
        if charset or kind.startswith("text/") or kind in _TEXTS or kind.endswith(("json", "+xml")):
            return {"body": _text(body, charset or "utf-8")}
        if not kind:
            return {"body": body.decode()}
    except UnicodeDecodeError:
        pass
    return {"body": base64.b64encode(body).decode(), "encoding": "base64"}


def _json(body: bytes) -> msgspec.Raw | None:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return msgspec.Raw(body.strip())


def _text(body: bytes, charset: str) -> str:
    try:
        return body.decode(charset_of(charset), "replace").encode("utf-8", "replace").decode()
    except (LookupError, ValueError):  # a codec that is no charset
        return body.decode("utf-8", "replace")


def _kind(headers: httpx.Headers) -> tuple[str, str]:
    """Media type and charset."""
    kind, _, parameters = headers.get("content-type", "").partition(";")
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset":
            return kind.strip().lower(), value.strip().strip('"')
    return kind.strip().lower(), ""


def _decoded(answer: Answer, most_bytes: int) -> tuple[bytes, bool]:
    """The body without its compression, as far as it is wanted: a few bytes may stand for many millions."""
    bits = _DECODED.get(answer.headers.get("content-encoding", "").strip().lower())
    if bits is None or not answer.body:
        return answer.body[:most_bytes], len(answer.body) > most_bytes
    inflating = zlib.decompressobj(wbits=bits)
    try:
        plain = inflating.decompress(answer.body, most_bytes + 1)
    except zlib.error:
        return answer.body[:most_bytes], len(answer.body) > most_bytes
    return plain[:most_bytes], len(plain) > most_bytes


def _shortened(head: dict[str, Any], headers: httpx.Headers, body: bytes, *, most_bytes: int) -> bytes | None:
    """The beginning of the body as text, or in base64: as much as there is room for."""
    kind, charset = _kind(headers)
    is_text = bool(charset) or kind.startswith("text/") or kind in _TEXTS or kind.endswith(("json", "+xml")) or not kind
    marks: dict[str, Any] = {"truncated": True} if is_text else {"encoding": "base64", "truncated": True}
    text = _text(body, charset or "utf-8") if is_text else ""
    kept = len(text) if is_text else len(body)
    while True:
        part = text[:kept] if is_text else base64.b64encode(body[:kept]).decode()
        json = msgspec.json.encode(head | {"body": part} | marks)
        over = len(json) - most_bytes
        if over <= 0:
            return json
        if not kept:
            return None
        # Escaped, a character may be six bytes: so this many at least are to go, and each round takes off more.
        kept = max(0, min(kept - max(1, over // 6), int(kept * most_bytes / len(json))))


def _without(answer: Answer, hidden: Sequence[str]) -> Answer:
    """An endpoint that repeats what it was sent must not put a function's secrets on record: what is in the head."""
    reason, headers = answer.reason, answer.headers
    for text in hidden:
        reason = reason.replace(text, MASK)
        if any(text in value for value in headers.values()):
            headers = httpx.Headers([(name, value.replace(text, MASK)) for name, value in headers.multi_items()])
    return answer._replace(reason=reason, headers=headers)


def _masked(body: bytes, hidden: Sequence[str]) -> bytes:
    """The same for the body, once it is opened: compressed, a secret is not found."""
    for text in hidden:
        for form in (text.encode(), msgspec.json.encode(text)[1:-1]):
            body = body.replace(form, MASK.encode())
    return body
