"""What is set is what calls see, at once: a plugin's valves, each user's, and what a sync has made of all."""

from typing import Any

import httpx

from shared.store.client import Store
from tests.api.valves.conftest import Kept, entry
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


async def test_calls_see_what_is_set(kept: Kept, platform: Platform, store: Store):
    function = await kept.made("telling", TELLING)
    ada, bob = [await account(store, name, tenant=kept.tenant) for name in ("ada", "bob")]
    user = kept.of_role("user", id=ada.id)
    async with platform.client() as hers, platform.client() as his:
        for client, person in ((hers, ada), (his, bob)):
            client.headers["Authorization"] = f"Bearer {await token_for(store, person)}"
            assert await said(client, function.slug) == ["none", "", 1]
        for number in range(5):
            await kept.valves.replace(kept.admin, "telling", {"word": str(number), "key": f"k{number}"})
            await kept.valves.replace_for_user(user, "telling", {"limit": number})
            assert await said(his, function.slug) == [str(number), f"k{number}", 1]
            assert await said(hers, function.slug) == [str(number), f"k{number}", number]
        await kept.synced(entry("telling", TELLING.replace('"none"', '"new"'), valves={"key": "s"}, is_active=True))
        assert await said(hers, function.slug) == ["new", "s", 4]
        await kept.synced()
        gone = await hers.post(f"/api/functions/{function.slug}/execute/", json={"params": {}})
        assert gone.status_code == 404
