"""What tests of the command line have: an app of their own with functions, and a command that answers."""

import json
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.people import shoal
from tests.platform import Platform

_numbers = count(1)


class Said(NamedTuple):
    """How a command ended, and what it wrote."""

    code: int
    out: str
    errors: str

    @property
    def json(self) -> Any:
        """The document on stdout, of a command that has done it."""
        assert (self.code, self.errors) == (0, ""), self
        return json.loads(self.out)


Ask = Callable[..., Awaitable[Said]]


class Made:
    """Makes apps."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def app(self, functions: dict[str, str]) -> str:
        """An app nobody else has, with Python functions by name; the slug of each is `name-app`."""
        app = f"cli-{next(_numbers)}"
        for name, code in functions.items():
            fields = {"name": name, "slug": f"{name}-{app}", "execution_mode": "app"}
            made = await self._client.post(f"/api/apps/{app}/functions/", json=fields)
            assert made.status_code == 201, made.text
            body = {"version": "1.0.0", "code": code, "is_active": True}
            answer = await self._client.post(f"/api/functions/{made.json()['slug']}/code/", json=body)
            assert answer.status_code == 201, answer.text
        return app


@pytest.fixture(scope="session")
def made(client: httpx.AsyncClient) -> Made:
    return Made(client)


@pytest.fixture
def ask(platform: Platform, tmp_path: Path) -> Ask:
    """One command, on the running platform, with no context known unless a test makes one."""

    async def asked(*argv: object, typed: str = "", **environ: str) -> Said:
        where = {"SHOAL_DATA_DIR": str(platform.data_dir), "SHOAL_CONFIG": str(tmp_path / "contexts.toml")}
        words = [str(word) for word in argv]
        return Said(*await shoal(*words, typed=typed, **{**where, **environ}))

    return asked
