"""Plugins from inside: the core on the platform's own servers, for a tenant of the test's own."""

from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import pytest

from services.api.core.apps import Apps
from services.api.core.directory import Directory
from services.api.core.examining import Examining
from services.api.core.history import History
from services.api.core.plugin_versions import PluginVersions
from services.api.core.plugin_writing import Beside, PluginWriting
from services.api.core.plugins import Draft, Plugins
from services.api.core.removal import Removal
from services.api.core.sources import Sources
from shared.app_directory import AppDirectory
from shared.bus.broker import Bus
from shared.domain.caller import Caller, Role, User
from shared.secrets import Keyring
from shared.store.client import Store
from shared.store.functions import Functions
from shared.store.versions import Versions
from tests.platform import Platform

CODE_BYTES = 20_000
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


@pytest.fixture(scope="session")
def keyring(platform: Platform) -> Keyring:
    """The platform's keys."""
    return Keyring([bytes.fromhex((platform.data_dir / "secret.key").read_text().split()[0])])


@pytest.fixture
def opened(bus: Bus, store: Store, keyring: Keyring) -> Open:
    """The core for a tenant; its bounds are smaller than the platform's."""

    def opened(tenant: str, *, keyring: Keyring = keyring, most: int = 100) -> Keeping:
        directory, history = Directory(bus, store, believed_s=30), History(store)
        beside = Beside(
            Apps(store, AppDirectory(bus, store, believed_s=30)),
            Sources(bus, store, code_bytes=CODE_BYTES, wait_s=20),
            Examining(bus, keyring, wait_s=20),
            Removal(store, directory, history=history, forgotten_s=60),
            history,
        )
        writing = PluginWriting(store, directory, keyring, beside=beside, most=most)
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
