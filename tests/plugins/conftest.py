"""Plugins as their authors write them, made and called as administrators and users do it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from shared.store.client import Store
from tests.people import account, token_for
from tests.platform import Platform

FILES = Path(__file__).parent / "files"
_numbers = count(1)


class Person(NamedTuple):
    """A user of the platform who is no administrator."""

    id: str
    name: str
    email: str
    client: httpx.AsyncClient


class Made:
    """A plugin that is there, spoken to by the administrator unless `via` is somebody else."""

    def __init__(self, client: httpx.AsyncClient, key: str, slug: str) -> None:
        self.client = client
        self.key = key
        self.slug = slug

    async def ask(self, method: str, path: str, body: Any = None, *, via: httpx.AsyncClient | None = None) -> Any:
        """What this plugin's own path answers, which is not an error."""
        answer = await self.post(method, path, body, via=via)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(
        self, method: str, path: str, body: Any = None, *, via: httpx.AsyncClient | None = None
    ) -> httpx.Response:
        content = {} if body is None else {"json": body}
        return await (via or self.client).request(method, f"/api/functions/id/{self.key}{path}", **content)

    async def set(self, **values: Any) -> dict[str, Any]:
        """Other valves."""
        return dict(await self.ask("POST", "/valves/update", values))

    async def set_own(self, person: Person, **values: Any) -> dict[str, Any]:
        """Other valves of this user's own."""
        return dict(await self.ask("POST", "/valves/user/update", values, via=person.client))

    async def execute(self, params: Any, *, via: httpx.AsyncClient | None = None) -> dict[str, Any]:
        """A call, as it is answered."""
        answer = await (via or self.client).post(f"/api/functions/{self.slug}/execute/", json={"params": params})
        assert answer.headers["content-type"] == "application/json", answer.text
        return dict(answer.json())

    async def run(
        self, body: Any, *, hook: str | None = None, via: httpx.AsyncClient | None = None, **others: Any
    ) -> Any:
        """The result of a call that succeeds."""
        params = {"body": body, **others} if hook is None else {"hook": hook, "body": body, **others}
        answer = await self.execute(params, via=via)
        assert answer["status"] == "SUCCESS", answer
        return answer["data"]

    async def fails(self, body: Any, *, via: httpx.AsyncClient | None = None, **others: Any) -> str:
        """The error of a call that fails."""
        answer = await self.execute({"body": body, **others}, via=via)
        assert answer["status"] == "FAILURE", answer
        return str(answer["error"])


def events(answer: dict[str, Any]) -> list[tuple[str, Any]]:
    """What a call has emitted, as its log has it: the type, and the event's data."""
    rows = answer["result"].get("logs", [])
    assert all((row["level"], row["message"]) == ("info", row["data"]["type"]) for row in rows)
    return [(row["message"], row["data"]["data"]) for row in rows]


def said(*contents: str, by: str = "user") -> dict[str, Any]:
    """The body of a conversation in which one has said this."""
    return {"model": "m", "messages": [{"role": by, "content": content} for content in contents]}


@pytest.fixture(scope="session")
async def store(platform: Platform) -> AsyncIterator[Store]:
    store = Store(platform.ready["mongodb"], database="shoal")
    yield store
    store.close()


async def _person(platform: Platform, store: Store, name: str) -> Person:
    user = await account(store, name)
    headers = {"Authorization": f"Bearer {await token_for(store, user)}"}
    client = httpx.AsyncClient(base_url=platform.url, headers=headers, timeout=60)
    return Person(str(user.id), user.username, user.email, client)


@pytest.fixture(scope="session")
async def ada(platform: Platform, store: Store) -> AsyncIterator[Person]:
    person = await _person(platform, store, "ada")
    async with person.client:
        yield person


@pytest.fixture(scope="session")
async def bob(platform: Platform, store: Store) -> AsyncIterator[Person]:
    person = await _person(platform, store, "bob")
    async with person.client:
        yield person


Make = Callable[[str], Awaitable[Made]]


@pytest.fixture
async def make(client: httpx.AsyncClient) -> AsyncIterator[Make]:
    """Create the plugin of a file, and activate it; it is deleted after the test."""
    all_made: list[Made] = []

    async def create(file: str) -> Made:
        key = f"{file}_{next(_numbers)}"
        body = {"id": key, "name": key.replace("_", " "), "content": (FILES / f"{file}.py").read_text(), "meta": {}}
        answer = await client.post("/api/functions/create", json=body)
        assert answer.status_code == 200, answer.text
        assert (answer.json()["id"], answer.json()["is_active"]) == (key, False)
        rows = (await client.get("/api/apps/plugins/functions/", params={"search": body["name"]})).json()["results"]
        (slug,) = [row["slug"] for row in rows if row["name"] == body["name"]]
        made = Made(client, key, slug)
        all_made.append(made)
        assert (await made.ask("POST", "/toggle"))["is_active"] is True
        return made

    yield create
    for made in all_made:
        assert await made.ask("DELETE", "/delete") is True
