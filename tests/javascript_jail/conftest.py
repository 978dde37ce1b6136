"""Jails, guards of their processes, and the world they look into."""

import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from services.executor.modes.javascript.egress.bounds import Bounds
from services.executor.modes.javascript.egress.guard import Guard
from services.executor.modes.javascript.jail.jail import Jail
from shared.domain.egress_policy import Policy
from tests.javascript_jail.deno import Cell, run
from tests.javascript_jail.world import Names, certify, platform

FETCH = Path(__file__).with_name("fetch.js").read_text()
SET_UPS = {"own network": (), "shared network": ("network",)}
PUBLIC = {"egress": "public"}

Act = Callable[..., Awaitable[list[Any]]]


class Way(NamedTuple):
    """A set-up of jail and guard, and how a function in it acts: by lines of `fetch.js`."""

    jail: Jail
    guard: Guard
    names: Names
    act: Act
    own_network: bool


@contextmanager
def folder_for_all() -> Iterator[Path]:
    """A folder that other users may enter: pytest's own are closed to them, again with every run on the machine."""
    with tempfile.TemporaryDirectory(prefix="shoal-jail-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with folder_for_all() as folder:
        yield folder


@pytest.fixture(scope="module")
def module_folder() -> Iterator[Path]:
    with folder_for_all() as folder:
        yield folder


@pytest.fixture(scope="session")
def tls() -> Iterator[tuple[ssl.SSLContext, str]]:
    with folder_for_all() as folder:
        yield certify(folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=SET_UPS)
async def jail(request: pytest.FixtureRequest) -> AsyncIterator[Jail]:
    jail = Jail(without=SET_UPS[request.param])
    await jail.start()
    if request.param == "own network" and not jail.has_networks:
        pytest.skip("this machine gives no process a network of its own")
    yield jail
    await jail.close()


@asynccontextmanager
async def opened(jail: Jail, folder: Path, *, bounds: Bounds | None = None, **settings: Any) -> AsyncIterator[Way]:
    names, numbers = Names(), count()
    guard = Guard(platform(**settings), own_networks=jail.has_networks, resolve=names, bounds=bounds)

    async def act(*acts: Any, config: dict[str, Any] = PUBLIC, permissions: Any = None) -> list[Any]:
        door = await guard.open(Policy.of(config), function="test")
        cell = Cell.under(folder / str(next(numbers)), FETCH)
        status, said = await run(
            jail,
            cell,
            json.dumps([list(one(door) if callable(one) else one) for one in acts]),
            permissions=permissions or ["--allow-env", *door.permissions(cell.own / "socket")],
            door=door,
            environment=door.environment,
            readable=door.readable,
        )
        assert status == 0, said
        return [json.loads(line) for line in said.splitlines()]

    yield Way(jail, guard, names, act, jail.has_networks)
    await guard.close()


@pytest_asyncio.fixture(loop_scope="session")
async def way(jail: Jail, tls: tuple[ssl.SSLContext, str], folder: Path) -> AsyncIterator[Way]:
    async with opened(jail, folder, egress_ca_file=tls[1]) as way:
        yield way
