"""Answers of storage that a tenant has chosen, before a parser sees them: how large, and of how many parts.

A parser makes many times of an answer what it has in bytes, and is at work with the interpreter's lock: so few answers
are parsed at once, however many sources a tenant has.
"""

import threading
from typing import Protocol

MOST_BYTES = 16 << 20
"""The longest answer: a page of 1000 long keys is 5 MiB of XML, ten messages of a queue are 2 MiB of JSON."""

_MOST_ELEMENTS = 100_000  # tags; a page of 1000 objects has some 30,000
_MOST_VALUES = 1_000_000  # of JSON
_CHUNK = 256 << 10
_HELD_BYTES = 256 << 20  # of all answers that are longer than a chunk, in this process
_LARGE = 64 << 10
_PARSED_AT_ONCE = 2


class Excess(Exception):  # noqa: N818 - it is the answer's
    """The answer is none that is parsed, for the reason that the text says."""


class Room:
    """The bytes that answers may take. Waited for by nobody: one that is slow would hold up all others."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Whether there is room for so many bytes, which are taken then."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        """So many bytes are free again."""
        with self._lock:
            self._left += size


class Reading:
    """What one thread holds while it reads an answer and has it parsed. To be ended."""

    _room = Room(_HELD_BYTES)
    _parsing = threading.BoundedSemaphore(_PARSED_AT_ONCE)

    def __init__(self) -> None:
        self._taken = 0
        self._parses = False

    def read(self, answer: "Readable") -> bytes:
        """The whole of it. Raises Excess, and what the answer raises."""
        parts: list[bytes] = []
        size = 0
        while part := answer.read(_CHUNK):
            size += len(part)
            if size > MOST_BYTES:
                raise Excess(f"answered with more than {MOST_BYTES} bytes")
            if parts:
                self._take(len(part))
            parts.append(part)
        return b"".join(parts)

    def parse(self, body: bytes) -> None:
        """It is to be parsed now. Raises Excess."""
        check(body)
        if len(body) > _LARGE and not self._parses:
            self._parsing.acquire()
            self._parses = True

    def _take(self, size: int) -> None:
        if not self._room.take(size):
            raise Excess("answered while there was no room for more answers")
        self._taken += size

    def end(self) -> None:
        """It is over."""
        if self._parses:
            self._parsing.release()
        self._room.give_back(self._taken)
        self._parses, self._taken = False, 0


class Readable(Protocol):
    """What can be read in parts: urllib3's answers."""

    def read(self, amount: int, /) -> bytes:
        """At most so many bytes, none at the end."""
        ...


def check(body: bytes) -> None:
    """Refuse what would become very much larger, or never ends. Raises Excess."""
    if body.lstrip()[:1] in {b"{", b"["}:  # JSON: no parser of XML reads on
        if sum(body.count(sign) for sign in (b"{", b"[", b",")) > _MOST_VALUES:
            raise Excess(f"answered with more than {_MOST_VALUES} values")
        return
    # Entities are declared in a document type, which no service sends; with NULs it is an encoding that hides one.
    if b"<!DOCTYPE" in body or b"\0" in body:
        raise Excess("answered with a document type, or with bytes that no text has")
    if body.count(b"<") > _MOST_ELEMENTS:
        raise Excess(f"answered with more than {_MOST_ELEMENTS} elements")
