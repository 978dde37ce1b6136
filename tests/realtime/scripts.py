"""What functions do with frames, in the tests."""

import asyncio
from typing import Any

import msgspec

from shared.bus.messages import Dispatch
from shared.domain.outcome import Outcome
from shared.domain.request import Response

JSON = [("content-type", "application/json")]


def said(value: object, status: int = 200) -> Outcome:
    """A handler's answer in JSON."""
    return Outcome(status="SUCCESS", response=Response(status=status, headers=JSON, body=msgspec.json.encode(value)))


def body(dispatch: Dispatch) -> Any:
    """What the handler was asked."""
    assert dispatch.request is not None
    return msgspec.json.decode(dispatch.request.body)


async def echo(dispatch: Dispatch) -> Outcome:
    """The payload back."""
    return said(body(dispatch)["payload"])


class Gated:
    """Echoes a payload when it is let go; `came` are the payloads that have come, in their order."""

    def __init__(self) -> None:
        self.came: list[Any] = []
        self._gates: dict[Any, asyncio.Event] = {}
        self._news = asyncio.Event()

    async def __call__(self, dispatch: Dispatch) -> Outcome:
        payload = body(dispatch)["payload"]
        self.came.append(payload)
        self._news.set()
        await self.gate(payload).wait()
        return said(payload)

    def gate(self, payload: Any) -> asyncio.Event:
        return self._gates.setdefault(payload, asyncio.Event())

    def let(self, *payloads: Any) -> None:
        for payload in payloads:
            self.gate(payload).set()

    async def until(self, number: int) -> None:
        """Until so many have come."""
        async with asyncio.timeout(20):
            while len(self.came) < number:
                self._news.clear()
                await self._news.wait()
