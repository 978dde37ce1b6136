"""The core of plugins with their valves, on the platform's own servers, for a tenant of the test's own."""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import msgspec
import pytest

from services.api.core.plugin_sync import Entry, PluginSync, Synced
from services.api.core.plugins import Draft, Plugins
from services.api.core.removal import Removal
from services.api.core.valves import Valves
from shared.bus.broker import Bus
from shared.domain.caller import Caller, Role, User
from shared.domain.function import Function
from shared.secrets import Keyring
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.user_valves import UserValves
from shared.store.versions import Versions
from tests.api.plugin_core import parts

_tenants = count(1)

REDACTOR = '''"""
title: Redact
version: 0.1
"""
from pydantic import BaseModel, Field


class Filter:
    class Valves(BaseModel):
        priority: int = 0
        words: list[str] = []
        mask: str = "***"

    class UserValves(BaseModel):
        mask: str = ""
        limit: int = 10

    def __init__(self):
        self.valves = self.Valves()

    def inlet(self, body, __user__=None):
        return {"mask": self.valves.mask, "priority": self.valves.priority}
'''
KEYED = """from pydantic import BaseModel, Field


class Action:
    class Valves(BaseModel):
        api_key: str = Field(default="", json_schema_extra={"format": "password"})
        tries: int = 1

    class UserValves(BaseModel):
        token: str = Field(default="", json_schema_extra={"format": "password"})

    def action(self, body):
        return {}
"""
PLAIN = "def main():\n    print('Updated')\n"
BROKEN = "def main(:\n"
NOTHING = "answer = 42\n"


class Kept(NamedTuple):
    """The core, and who asks it."""

    plugins: Plugins
    valves: Valves
    sync: PluginSync
    removal: Removal
    admin: Caller
    functions: Functions
    versions: Versions
    store: Store

    @property
    def tenant(self) -> str:
        return self.admin.tenant

    def of_role(self, role: Role, *, id: int = 2, **changes: Any) -> Caller:
        user = User(id, f"{role}-{id}", f"{role}-{id}@x.test")
        return msgspec.structs.replace(Caller(tenant=self.tenant, user=user, role=role), **changes)

    async def made(self, key: str, content: str = REDACTOR, *, active: bool = True) -> Function:
        """A plugin of the administrator's."""
        made = await self.plugins.create(self.admin, Draft(key=key, name=key.title(), content=content))
        return (await self.plugins.toggle(self.admin, key)).function if active else made

    async def now(self, key: str) -> Function:
        """The plugin as it is stored."""
        found = await self.functions.by_key(key)
        assert found is not None
        return found

    async def of_user(self, key: str, user_id: int) -> str:
        return await UserValves(self.store, self.tenant).of((await self.now(key)).id, user_id)

    async def synced(self, *entries: Entry) -> list[Synced]:
        return await self.sync.sync(self.admin, entries)

    async def all(self) -> dict[str, Function]:
        """All plugins, by key."""
        found = await self.functions.plugins(limit=1000)
        return {function.plugin.key: function for function in found if function.plugin is not None}


def entry(key: str, content: str = REDACTOR, **fields: Any) -> Entry:
    return Entry(key=key, content=content, **{"name": key.title(), **fields})


Open = Callable[..., Kept]


@pytest.fixture(scope="session")
def open_core(bus: Bus, store: Store, keyring: Keyring) -> Open:
    """The core for a tenant."""

    def opened(tenant: str, *, most: int = 100, keyring: Keyring = keyring) -> Kept:
        directory, beside, writing = parts(bus, store, keyring, most=most)
        return Kept(
            Plugins(store, writing),
            Valves(store, keyring, examining=beside.examining, writing=writing),
            PluginSync(store, directory, keyring, beside=beside, most=most),
            beside.removal,
            Caller(tenant=tenant, user=User(1, "admin", "admin@localhost"), role="admin"),
            Functions(store, tenant),
            Versions(store, tenant),
            store,
        )

    return opened


@pytest.fixture
def kept(open_core: Open) -> Kept:
    """The core for a tenant that has nothing yet."""
    return open_core(f"valves-{next(_tenants)}")
