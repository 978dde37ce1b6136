"""What the tests of the apps dialect share: an app of one's own, deployments into it, looks at errors."""

import importlib.util
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import httpx
import pytest

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.messages import Compile, Compiled
from tests.conftest import TAX

_numbers = count(1)


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """The sentence of an error, after a look at its shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert set(error) <= {"code", "message", "remediation", "details"}
    assert error["code"] == code
    assert error["remediation"]
    return str(error["message"])


class Shop:
    """An app, spoken to with a token."""

    def __init__(self, client: httpx.AsyncClient, app: str) -> None:
        self.client = client
        self.app = app

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return await self.client.request(method, f"/v1/{self.app}/{path}", **options)

    async def post(self, name: str, **fields: Any) -> httpx.Response:
        """One deployment of Python code."""
        body = {"name": name, "runtime": "python", "code": TAX, **fields}
        return await self.ask("POST", "functions", json=body)

    async def deploy(self, name: str, **fields: Any) -> dict[str, Any]:
        """`post`, which goes well."""
        answer = await self.post(name, **fields)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def show(self, name: str) -> dict[str, Any]:
        answer = await self.ask("GET", f"functions/{name}")
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def names(self) -> list[str]:
        return [row["name"] for row in (await self.ask("GET", "functions")).json()["functions"]]


@pytest.fixture
def shop(client: httpx.AsyncClient) -> Shop:
    """An app that nobody has made yet."""
    return Shop(client, f"shop-{next(_numbers)}")


@pytest.fixture(scope="session", autouse=True)
async def javascript(bus: Bus) -> AsyncIterator[None]:
    """Somebody who checks javascript, where the platform has nobody who does: all but what has no handler is taken."""
    if importlib.util.find_spec("services.executor.modes.javascript") is None:

        async def accept(_request: Compile) -> Compiled:
            return Compiled()

        await bus.serve(subjects.compile_code("javascript"), accept, body=Compile, answer=Compiled)
        await bus.client.flush()
    yield
