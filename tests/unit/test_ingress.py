"""The door of the triggers service, when there is no room left."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from services.triggers import ingress
from services.triggers.ingress import Ingress
from services.triggers.kind import Route
from shared import answers, exchange
from shared.domain.problem import Problem

SCOPE = {"type": "http", "method": "POST", "raw_path": b"/a", "path": "/a"}
PART = {"type": "http.request", "body": b"x", "more_body": True}
LAST = {"type": "http.request", "body": b"x", "more_body": False}


class Sender:
    """One request, whose parts come when they are put."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.status = 0

    async def send(self, message: dict[str, Any]) -> None:
        self.status = self.status or message["status"]

    def ask(self, door: Ingress, *events: dict[str, Any]) -> "asyncio.Task[None]":
        for event in events:
            self.events.put_nowait(event)
        return asyncio.create_task(door(SCOPE, self.events.get, self.send))


async def reading(scope: Any, receive: Any, send: Any, named: Mapping[str, str]) -> None:
    try:
        await exchange.read(receive, most_bytes=100, within_s=20)
    except Problem as problem:
        await ingress.answer(send, answers.plain(503, error=problem.message))
    else:
        await ingress.answer(send, answers.plain(200, ok=True))


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_has_sent_for_long_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingress, "_PATIENCE_S", 0.0)
    door = Ingress([Route("/a", reading)], most=2)
    slow, slower, quick = Sender(), Sender(), Sender()
    first, second = slow.ask(door, PART), slower.ask(door)
    await _settle()
    async with asyncio.timeout(10):
        await quick.ask(door, LAST)
        await first
    assert (slow.status, quick.status) == (503, 200)
    slower.events.put_nowait(LAST)
    async with asyncio.timeout(10):
        await second
    assert slower.status == 200
    again = Sender()
    await again.ask(door, LAST)
    assert again.status == 200


async def test_who_has_hardly_begun_does_not() -> None:
    door = Ingress([Route("/a", reading)], most=1)
    slow, quick = Sender(), Sender()
    first = slow.ask(door, PART)
    await _settle()
    await quick.ask(door, LAST)
    assert quick.status == 503
    slow.events.put_nowait(LAST)
    await first
    assert slow.status == 200


async def test_who_waits_for_an_answer_does_not_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingress, "_PATIENCE_S", 0.0)
    done = asyncio.Event()

    async def working(scope: Any, receive: Any, send: Any, named: Mapping[str, str]) -> None:
        await exchange.read(receive, most_bytes=100, within_s=20)
        watching = asyncio.create_task(receive())  # whether the sender goes
        await done.wait()
        watching.cancel()
        await ingress.answer(send, answers.plain(200, ok=True))

    door = Ingress([Route("/a", working)], most=1)
    patient, quick = Sender(), Sender()
    first = patient.ask(door, LAST)
    await _settle()
    await quick.ask(door, LAST)
    assert quick.status == 503
    done.set()
    await first
    assert patient.status == 200
