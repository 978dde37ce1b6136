"""The specification's own requests, sent as it prints them: only host, token, app and ids are put in their places."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from itertools import count
from typing import Any

import httpx
import pytest

from shared.domain.caller import Caller, User
from shared.store.client import Store
from tests.people import enrol
from tests.platform import Platform

HOST = "https://tenant.taruvi.cloud"
TOKEN = "YOUR_ACCESS_TOKEN"
CURL_S = 60.0
_numbers = count(1)


class Answer:
    """What came back, however it was asked for."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.text = text
        self.headers = headers or {}

    def json(self, status: int = 200) -> Any:
        """The body, after a look at the status."""
        assert self.status == status, (self.status, self.text)
        return json.loads(self.text)


class Printed:
    """Sends what is printed, as a tenant of its own whose user is the specification's john.doe."""

    def __init__(self, http: httpx.AsyncClient, token: str) -> None:
        self._http = http
        self._token = token

    async def send(self, request: str, **places: object) -> Answer:
        """A request as HTTP is printed: method and path, headers, body. Several with `# comments` are not one."""
        head, brace, body = self._filled(request, places).strip().partition("{\n") if "{\n" in request else (
            self._filled(request, places).strip(), "", ""
        )  # fmt: skip
        lines = [line for line in head.strip().split("\n") if line and not line.startswith("#")]
        method, path = lines[0].split(" ")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        headers.setdefault("Authorization", f"Bearer {self._token}")
        if brace:
            headers.setdefault("Content-Type", "application/json")
        answer = await self._http.request(method, path, headers=headers, content=(brace + body).encode())
        return Answer(answer.status_code, answer.text, answer.headers)

    async def curl(self, command: str, **places: object) -> Answer:
        """A command line, run by a shell."""
        text = self._filled(command, places).strip() + " --silent --show-error --write-out '\\n%{http_code}'"
        process = await asyncio.create_subprocess_shell(
            text, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        out, err = await asyncio.wait_for(process.communicate(), timeout=CURL_S)
        assert process.returncode == 0, err.decode()
        body, _, status = out.decode().rpartition("\n")
        return Answer(int(status), body)

    def _filled(self, text: str, places: dict[str, object]) -> str:
        text = text.replace(HOST, str(self._http.base_url).rstrip("/")).replace(TOKEN, self._token)
        for place, value in places.items():
            assert place.replace("__", "-") in text, place
            text = text.replace(place.replace("__", "-"), str(value))
        return text.replace("{app_slug}", "test-app")


async def _tenant(platform: Platform) -> AsyncIterator[Printed]:
    name = f"seed-{next(_numbers)}"
    store = Store(platform.ready["mongodb"], database="shoal")
    user = User(id=3, username="john.doe", email="john@example.com")
    await enrol(store, f"{name}-token", Caller(tenant=name, user=user, role="admin"), exactly=True)
    store.close()
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as http:
        yield Printed(http, f"{name}-token")


@pytest.fixture(scope="module")
async def printed(platform: Platform) -> AsyncIterator[Printed]:
    """One tenant for the tests of a chapter, which build on each other as its text does."""
    async for one in _tenant(platform):
        yield one


@pytest.fixture
async def fresh(platform: Platform) -> AsyncIterator[Printed]:
    """A tenant with nothing in it."""
    async for one in _tenant(platform):
        yield one
