"""A tenant of its own for every module: what is listed there is what the module has made."""

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count

import httpx
import pytest

from shared.domain.caller import Role
from shared.store.client import Store
from tests import people
from tests.api.webui.asking import FORMS, Asking
from tests.platform import Platform

_numbers = count(1)

As = Callable[[Role], Awaitable[httpx.AsyncClient]]


@pytest.fixture(scope="module")
async def tenant() -> str:
    return f"webui-{next(_numbers)}"


@pytest.fixture(scope="module")
async def http(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """HTTP without a token."""
    async with httpx.AsyncClient(base_url=platform.url, timeout=60) as http:
        yield http


@pytest.fixture(scope="module")
async def being(platform: Platform, store: Store, tenant: str) -> AsyncIterator[As]:
    """HTTP as somebody of this role in the tenant."""
    clients: dict[Role, httpx.AsyncClient] = {}

    async def one(role: Role) -> httpx.AsyncClient:
        if role not in clients:
            account = await people.account(store, f"ada-{role}", tenant=tenant, role=role)
            headers = {"Authorization": f"Bearer {await people.token_for(store, account)}"}
            clients[role] = httpx.AsyncClient(base_url=platform.url, headers=headers, timeout=60)
        return clients[role]

    yield one
    for client in clients.values():
        await client.aclose()


@pytest.fixture(scope="module")
async def admin(being: As) -> Asking:
    """Its administrator."""
    return Asking(await being("admin"))


@pytest.fixture(scope="module")
async def user(being: As) -> Asking:
    """One of its users."""
    return Asking(await being("user"))


@pytest.fixture(params=FORMS, ids="".join)
def formed(request: pytest.FixtureRequest, admin: Asking) -> Asking:
    """The administrator, under each prefix and with each end of a path: for what costs next to nothing."""
    return Asking(admin.http, request.param)
