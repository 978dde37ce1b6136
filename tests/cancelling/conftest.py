"""A platform with little room, an operator's functions, and endpoints on this machine."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from shared.bus import broker
from shared.store.client import Store
from tests.cancelling.asking import Asking
from tests.hooks import Hook, serving
from tests.people import stranger_to
from tests.platform import Platform, running
from tests.system import package
from tests.system.conftest import path_with


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the operator's functions leave their traces."""
    return tmp_path_factory.mktemp("cancelling")


@pytest.fixture(scope="session")
async def shoal(folder: Path) -> AsyncIterator[Platform]:
    """Shoal with two slots for code, and a short lease."""
    packages = folder / "packages"
    package.install(
        packages, "operators-package", modules={"operators_package": package.FUNCTIONS}, entries=package.ENTRIES
    )
    settings = {
        "PYTHONPATH": path_with(packages),
        "TEST_FOLDER": str(folder),
        "SHOAL_LEASE_S": "3",
        "SHOAL_EXECUTOR_SLOTS": "2",
        "SHOAL_SCHEDULER_EXPIRY_S": "0.5",
        "SHOAL_EXECUTOR_PROXY_SLOTS": "20",
        "SHOAL_EGRESS_PRIVATE": "true",
        "SHOAL_DEFAULT_TIMEOUT_S": "60",
        "SHOAL_API_EXECUTE_WAIT_S": "60",
    }
    async with running(folder / "data", **settings) as platform:
        yield platform


@pytest.fixture(scope="session")
async def http(shoal: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator of the default tenant."""
    async with shoal.client(limits=httpx.Limits(max_connections=200, keepalive_expiry=1.0)) as client:
        yield client


@pytest.fixture(scope="session")
async def ask(shoal: Platform, http: httpx.AsyncClient) -> AsyncIterator[Asking]:
    """The administrator, with a look at the bus."""
    async with broker.connect(shoal.ready["nats"], name="test", timeout_s=5) as bus:
        yield Asking(http, bus, shoal)


@pytest.fixture(scope="session")
async def other(shoal: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator of another tenant."""
    async with stranger_to(shoal) as client:
        yield client


@pytest.fixture(scope="session")
async def store(shoal: Platform) -> AsyncIterator[Store]:
    """The platform's store, for what is looked at from inside."""
    store = Store(shoal.ready["mongodb"], database="shoal")
    yield store
    store.close()


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    """An endpoint."""
    async with serving() as hook:
        yield hook
