"""What the tests of the API share: a second tenant, and looks at the shapes of answers."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from shared.bus import broker
from shared.bus.broker import Bus
from shared.secrets import Keyring
from shared.store.client import Store
from tests.people import stranger_to
from tests.platform import Platform

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
TASK = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def is_stamp(text: object) -> bool:
    return isinstance(text, str) and STAMP.fullmatch(text) is not None


def sentence(answer: httpx.Response, status: int) -> str:
    """The sentence of an error, after a look at its shape."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert body["error"] == body["message"] == body["detail"]
    assert answer.headers["content-type"] == "application/json"
    assert set(body) <= {"error", "message", "detail", "details"}
    return str(body["error"])


@pytest.fixture(scope="session")
async def stranger(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """A client of another tenant."""
    async with stranger_to(platform) as client:
        yield client


@pytest.fixture(scope="session")
async def bus(platform: Platform) -> AsyncIterator[Bus]:
    """The platform's bus, for what is looked at from inside."""
    async with broker.connect(platform.ready["nats"], name="test", timeout_s=5) as bus:
        yield bus


@pytest.fixture(scope="session")
async def store(platform: Platform) -> AsyncIterator[Store]:
    """The platform's store, likewise."""
    store = Store(platform.ready["mongodb"], database="shoal")
    yield store
    store.close()


@pytest.fixture(scope="session")
def keyring(platform: Platform) -> Keyring:
    """The operator's key, as `shoal up` has made it."""
    return Keyring([bytes.fromhex((platform.data_dir / "secret.key").read_text().split()[0])])
