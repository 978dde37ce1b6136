"""What is set is what calls see, at once: a plugin's valves, each user's, and what a sync has made of all."""

from typing import Any

import httpx

from shared.store.client import Store
from tests.api.valves.conftest import Kept
from tests.people import account, token_for
from tests.platform import Platform

TELLING = """from pydantic import BaseModel, Field


class Action:
    class Valves(BaseModel):
        word: str = "none"
        key: str = Field(default="", json_schema_extra={"input": {"type": "password"}})

    class UserValves(BaseModel):
        limit: int = 1

    def __init__(self):
        self.valves = self.Valves()

    def action(self, body, __user__=None):
        return [self.valves.word, self.valves.key, __user__["valves"].limit]
"""


async def said(http: httpx.AsyncClient, slug: str) -> Any:
    answer = await http.post(f"/api/functions/{slug}/execute/", json={"params": {"body": {}}})
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def done(answer: httpx.Response) -> None:
    assert answer.status_code == 200, answer.text


async def test_calls_see_what_is_set(kept: Kept, platform: Platform, store: Store):
    """Through the API that is called then: another one would hear of it a moment later."""
    function = await kept.made("telling", TELLING)
    path = "/api/functions/id/telling/valves"
    ada, bob = [await account(store, name, tenant=kept.tenant) for name in ("ada", "bob")]
    keeper = await account(store, "keeper", tenant=kept.tenant, role="admin")
    async with platform.client() as hers, platform.client() as his, platform.client() as admins:
        for client, person in ((hers, ada), (his, bob), (admins, keeper)):
            client.headers["Authorization"] = f"Bearer {await token_for(store, person)}"
            assert await said(client, function.slug) == ["none", "", 1]
        for number in range(5):
            await done(await admins.post(f"{path}/update", json={"word": str(number), "key": f"k{number}"}))
            await done(await hers.post(f"{path}/user/update", json={"limit": number}))
            assert await said(his, function.slug) == [str(number), f"k{number}", 1]
            assert await said(hers, function.slug) == [str(number), f"k{number}", number]
        one = {"id": "telling", "name": "Telling", "meta": {}, "is_active": True, "valves": {"key": "s"}}
        one["content"] = TELLING.replace('"none"', '"new"')
        await done(await admins.post("/api/functions/sync", json={"functions": [one]}))
        assert await said(hers, function.slug) == ["new", "s", 4]
        await done(await admins.post("/api/functions/sync", json={"functions": []}))
        gone = await hers.post(f"/api/functions/{function.slug}/execute/", json={"params": {}})
        assert gone.status_code == 404
