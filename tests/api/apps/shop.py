"""An app of one's own: deployments into it, and looks at errors."""

from typing import Any
from urllib.parse import quote

import httpx

from tests.conftest import TAX

OK = 200


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
        assert answer.status_code == OK, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def show(self, name: str) -> dict[str, Any]:
        answer = await self.ask("GET", f"functions/{name}")
        assert answer.status_code == OK, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def names(self) -> list[str]:
        return [row["name"] for row in (await self.ask("GET", "functions")).json()["functions"]]

    async def clear(self) -> None:
        """Delete all: schedules are not to run on."""
        answer = await self.ask("GET", "functions")
        for row in answer.json()["functions"] if answer.status_code == OK else ():
            await self.ask("DELETE", f"functions/{quote(row['name'], safe='')}")
