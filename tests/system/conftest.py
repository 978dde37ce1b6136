"""A platform with an operator's packages on its path, and somebody who calls their functions."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.people import stranger_to
from tests.platform import Platform, running
from tests.system import package

Call = Callable[..., Awaitable[httpx.Response]]


def path_with(folder: Path) -> str:
    """PYTHONPATH with this folder first."""
    return os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH", "")]))


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with packages that work, and some that do not."""
    folder = tmp_path_factory.mktemp("packages")
    package.install(
        folder,
        "operators-package",
        modules={"operators_package": package.FUNCTIONS},
        entries=package.ENTRIES | {"claimed-twice": "operators_package:resize"},
    )
    package.install(
        folder,
        "operators-broken",
        modules={"operators_broken": "raise RuntimeError('no licence key')"},
        entries=package.BROKEN | {"claimed-twice": "operators_package:resize"},
    )
    return folder


@pytest.fixture(scope="session")
async def operated(tmp_path_factory: pytest.TempPathFactory, packages: Path) -> AsyncIterator[Platform]:
    """Shoal with those packages."""
    folder = tmp_path_factory.mktemp("operated")
    settings = {"PYTHONPATH": path_with(packages), "TEST_FOLDER": str(folder), "SHOAL_RESULT_BYTES": "200000"}
    async with running(folder / "data", **settings) as platform:
        yield platform


@pytest.fixture(scope="session")
async def http(operated: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator of the default tenant."""
    async with operated.client() as client:
        yield client


@pytest.fixture(scope="session")
async def other(operated: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator of another tenant."""
    async with stranger_to(operated) as client:
        yield client


@pytest.fixture(scope="session")
def call(http: httpx.AsyncClient) -> Call:
    """Call a function and wait for its end."""

    async def execute(slug: str, params: Any = None, **body: Any) -> httpx.Response:
        return await http.post(f"/api/functions/{slug}/execute/", json={"params": params or {}, **body})

    return execute
