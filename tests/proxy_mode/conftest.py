"""The PROXY mode as the executor opens it, and calls of it."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from services.executor.config import Executor
from services.executor.mode import Again, Call, Opening
from services.executor.modes.proxy.mode import ProxyMode, open_for
from services.executor.pool.bounds import Bounds
from services.executor.pool.places import Places
from shared.config import Platform
from shared.domain.credentials import place_of, with_secrets
from shared.domain.function import Function
from shared.domain.outcome import Outcome
from shared.secrets import Keyring
from tests.hooks import Hook, serving
from tests.limits import limits

KEYRING = Keyring([b"k" * 32])
OPEN = Platform(nats_url="", mongodb_url="", egress_private=True)
NOW = datetime(2026, 1, 1, tzinfo=UTC)

Made = Callable[..., Any]


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    async with serving() as hook:
        yield hook


@contextlib.asynccontextmanager
async def opened(platform: Platform = OPEN, **settings: Any) -> AsyncIterator[ProxyMode]:
    mode = await open_for(Opening(Executor(**settings), platform, KEYRING, Places(Bounds())))
    try:
        yield mode
    finally:
        await mode.close()


@pytest.fixture
async def mode() -> AsyncIterator[ProxyMode]:
    async with opened() as mode:
        yield mode


def call_of(
    url: str,
    *,
    auth: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
    attempt: int = 1,
    tenant: str = "acme",
    **bounds: Any,
) -> Call:
    """A call of a function as it is stored: its secrets sealed."""

    def sealed(where: str, text: str) -> str:
        return KEYRING.seal(text.encode(), place=place_of(tenant, 7, where))

    function = Function(
        id=7,
        tenant=tenant,
        app=1,
        app_slug="a",
        app_name="A",
        name="Hook",
        slug="hook",
        execution_mode="proxy",
        webhook_url=url,
        auth_config=with_secrets(auth or {}, sealed),
        headers=headers or {},
        created_at=NOW,
        updated_at=NOW,
    )
    return Call(
        task_id="t-1",
        tenant=tenant,
        function_id=7,
        code_hash="",
        function=function,
        params=b'{"a":1}',
        context={"function": {"name": "Hook", "slug": "hook", "category": ""}, "user": None, "email": "left out"},
        limits=limits(**bounds),
        attempt=attempt,
    )


def success(end: Outcome | Again) -> dict[str, Any]:
    assert isinstance(end, Outcome), end
    assert end.status == "SUCCESS", end
    return dict(msgspec.json.decode(end.result))


def final(end: Outcome | Again) -> Outcome:
    """A failure that another try would not mend."""
    assert isinstance(end, Outcome), end
    assert end.status == "FAILURE"
    return end


def again(end: Outcome | Again) -> Outcome:
    """A failure that another try may mend."""
    assert isinstance(end, Again), end
    assert end.outcome.status == "FAILURE"
    return end.outcome
