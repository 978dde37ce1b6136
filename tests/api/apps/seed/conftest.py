"""The specification's own requests, sent as it prints them: only app, token and name are put in their places."""

import json
from collections.abc import AsyncIterator, Mapping
from itertools import count
from typing import Any

import httpx
import pytest

from shared.domain.caller import Caller, User
from shared.store.client import Store
from tests.api.apps.shop import Shop
from tests.people import enrol
from tests.platform import Platform

_numbers = count(1)


class Answer:
    """What came back."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str]) -> None:
        self.status = status
        self.text = text
        self.headers = headers

    def json(self, status: int = 200) -> Any:
        """The body, after a look at the status."""
        assert self.status == status, (self.status, self.text)
        return json.loads(self.text)


class Printed:
    """Sends what is printed, as a tenant of its own."""

    def __init__(self, http: httpx.AsyncClient, *, token: str, app: str) -> None:
        self._http = http
        self._places = {"{token}": token, "{app_id}": app}

    async def send(self, request: str, **places: str) -> Answer:
        """A request as HTTP is printed: method and path, headers if there are any, a body. No header is added."""
        text = request.strip()
        for place, value in {**self._places, **{f"{{{name}}}": value for name, value in places.items()}}.items():
            text = text.replace(place, value)
        head, brace, body = text.partition("\n{\n")
        [asked, *lines] = head.split("\n")
        method, path = asked.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        headers.setdefault("Authorization", f"Bearer {self._places['{token}']}")
        answer = await self._http.request(method, path, headers=headers, content=(brace + body).encode())
        return Answer(answer.status_code, answer.text, answer.headers)


@pytest.fixture
async def printed(platform: Platform) -> AsyncIterator[Printed]:
    """A tenant with nothing in it."""
    name = f"apps-seed-{next(_numbers)}"
    store = Store(platform.ready["mongodb"], database="shoal")
    user = User(id=3, username="owner", email="owner@example.com")
    await enrol(store, f"{name}-token", Caller(tenant=name, user=user, role="admin"))
    store.close()
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as http:
        yield Printed(http, token=f"{name}-token", app="my-app")
        http.headers["Authorization"] = f"Bearer {name}-token"
        await Shop(http, "my-app").clear()
