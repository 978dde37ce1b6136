"""Server-sent events that go on: after each break from where they were, as long as anybody listens."""

import sys
import time
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

from cli.exits import UNAVAILABLE, Fault
from cli.remote import Remote

_SILENT_S = 60.0  # a server says that it is there every 15 s
_FIRST_S, _MOST_S = 0.5, 10.0
OPENED = "opened"
"""The kind of what is told when a stream has begun, again after each break. It comes from no server."""


class Event(NamedTuple):
    """One that a server sent."""

    kind: str
    data: str = ""
    id: str = ""


def lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """The lines of a stream, as it comes. httpx ends them where Unicode does, too: that may be in what is told."""
    rest = bytearray()
    for piece in pieces:
        rest += piece
        if b"\n" in piece:
            *whole, last = bytes(rest).split(b"\n")
            rest = bytearray(last)
            yield from (line.removesuffix(b"\r").decode("utf-8", "replace") for line in whole)


def read(lines: Iterable[str]) -> Iterator[Event]:
    """Events, of the lines of a stream."""
    kind, id, data = "message", "", list[str]()
    for line in lines:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield Event(kind, "\n".join(data), id)
            kind, data = "message", []
        elif name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id":
            id = value


def following(remote: Remote, path: str, *, last: str = "", **query: str) -> Iterator[Event]:
    """What comes from now on, or behind the event with the id `last` (or behind that moment), without an end.

    Raises Fault for what will not be otherwise later.
    """
    pause_s = _FIRST_S
    while True:
        try:
            headers = {"Last-Event-ID": last} if last else {}
            with remote.stream(path, silent_s=_SILENT_S, headers=headers, params=query) as answer:
                last = last or _moment(answer)  # what ends in a break is not lost, should it come before any event
                yield Event(OPENED)
                pause_s = _FIRST_S
                for event in read(lines(answer.iter_bytes())):
                    last = event.id or last
                    yield event
            why = "the server has ended the stream"
        except Fault as fault:
            if fault.code != UNAVAILABLE:
                raise
            why = str(fault)
        print(f"shoal: {why}; again in {pause_s:g} s", file=sys.stderr)
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, _MOST_S)


def _moment(answer: httpx.Response) -> str:
    """When the stream began, by the server's clock."""
    try:
        return parsedate_to_datetime(answer.headers["date"]).isoformat()
    except (KeyError, ValueError):
        return ""
