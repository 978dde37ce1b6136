"""How the tests of plugins ask: under both prefixes, with and without a slash; and the code that they ask with."""

from itertools import count, cycle
from typing import Any

import httpx

from services.api.dialects.webui.problems import BAD_KEY, BAD_TOKEN, NO_TOKEN, NOT_ALLOWED, NOT_FOUND

__all__ = ["BAD_KEY", "BAD_TOKEN", "NOT_ALLOWED", "NOT_FOUND", "NO_TOKEN"]

PREFIXES = ("/api/functions", "/api/v1/functions")
FORMS = tuple((prefix, slash) for prefix in PREFIXES for slash in ("", "/"))

OK = 200
FILTER = '''"""
title: Shouting
author: A. Nonymous
version: 0.2
requirements: httpx, pyyaml
"""
from pydantic import BaseModel, Field


class Filter:
    class Valves(BaseModel):
        priority: int = Field(default=0, description="which comes first")
        mark: str = "!"

    class UserValves(BaseModel):
        loud: bool = True

    def __init__(self):
        self.valves = self.Valves()
        self.toggle = True

    def inlet(self, body, __user__=None):
        return {**body, "text": body["text"].upper() + self.valves.mark}
'''
PIPE = """class Pipe:
    def pipe(self, body):
        return body["text"][::-1]
"""
PLAIN = 'def main():\n    print("Updated")'
_numbers = count(1)


def detail(answer: httpx.Response, status: int) -> Any:
    """What an error says, after a look at its shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"detail"}
    return body["detail"]


def ok(answer: httpx.Response) -> Any:
    """What is answered where all is well."""
    assert answer.status_code == OK, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def form(id: str, content: str = FILTER, **fields: Any) -> dict[str, Any]:
    """The body of a creation, and of an update."""
    meta = {"description": "a function of the tests"}
    return {"id": id, "name": id.replace("_", " ").title(), "content": content, "meta": meta, **fields}


class Asking:
    """Somebody who asks under each prefix, with a slash at the end and without, in turn.

    Whether a request means the same whichever of them it is sent to is asked of every route in `test_rights.py`.
    """

    def __init__(self, http: httpx.AsyncClient, *forms: tuple[str, str]) -> None:
        self.http = http
        self.forms = forms or FORMS
        self._next = cycle(self.forms)

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        path, _, query = path.partition("?")
        prefix, slash = next(self._next)
        return await self.http.request(method, f"{prefix}{path}{slash}{'?' if query else ''}{query}", **options)

    async def get(self, path: str) -> Any:
        return ok(await self.ask("GET", path))

    async def post(self, path: str, body: Any = None) -> Any:
        return ok(await self.ask("POST", path) if body is None else await self.ask("POST", path, json=body))

    async def create(self, content: str = FILTER, **fields: Any) -> str:
        """A new function; its id."""
        id = f"of_tests_{next(_numbers)}"
        return str((await self.post("/create", form(id, content, **fields)))["id"])

    async def delete(self, id: str) -> Any:
        return ok(await self.ask("DELETE", f"/id/{id}/delete"))
