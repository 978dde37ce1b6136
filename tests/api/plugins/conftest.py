"""Plugins from inside: the core on the platform's own servers, for a tenant of the test's own."""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import pytest

from services.api.core.plugin_versions import PluginVersions
from services.api.core.plugins import Draft, Plugins
from shared.bus.broker import Bus
from shared.domain.caller import Caller, Role, User
from shared.secrets import Keyring
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.versions import Versions
from tests.api.plugin_core import parts

_tenants = count(1)

FILTER = '''"""
title: Redact
author: A. Nobody
version: 0.1
"""
class Filter:
    def __init__(self):
        self.toggle = True

    def inlet(self, body):
        return body
'''
MAIN = "def main():\n    print('Updated')\n"


def valved(fields: str, *, number: int = 0) -> str:
    """An action with these fields among its valves."""
    return (
        "from pydantic import BaseModel, Field\n\n\nclass Action:\n    class Valves(BaseModel):\n"
        f"        {fields}\n\n    def action(self, body):\n        return {number}\n"
    )


class Keeping(NamedTuple):
    """The core of plugins, and who asks it."""

    plugins: Plugins
    versions: PluginVersions
    admin: Caller
    functions: Functions
    sources: Versions
    store: Store

    def of_role(self, role: Role) -> Caller:
        return Caller(tenant=self.admin.tenant, user=User(2, role, f"{role}@x.test"), role=role)


def draft(key: str, content: str = FILTER, *, name: str = "", **meta: Any) -> Draft:
    return Draft(key=key, name=name or key.title(), content=content, meta=meta)


Open = Callable[..., Keeping]


@pytest.fixture
def opened(bus: Bus, store: Store, keyring: Keyring) -> Open:
    """The core for a tenant; its bounds are smaller than the platform's."""

    def opened(tenant: str, *, keyring: Keyring = keyring, most: int = 100) -> Keeping:
        writing = parts(bus, store, keyring, most=most).writing
        admin = Caller(tenant=tenant, user=User(1, "admin", "admin@localhost"), role="admin")
        return Keeping(
            Plugins(store, writing), PluginVersions(store, writing), admin,
            Functions(store, tenant), Versions(store, tenant), store,
        )  # fmt: skip

    return opened


@pytest.fixture
def keeping(opened: Open) -> Keeping:
    """The core for a tenant that has nothing yet."""
    return opened(f"plugins-{next(_tenants)}")
