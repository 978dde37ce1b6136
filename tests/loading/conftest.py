"""Somebody else's HTTPS server, and loading from it as the API does it."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.api.config import Api
from services.api.core.loading import Loading
from shared.config import Platform
from shared.domain.caller import Caller, User
from shared.domain.problem import Problem
from tests.hooks import Hook, certificate, response, serving

SOURCE = '"""\ntitle: Né\n"""\n\n\nclass Filter:\n    pass\n'


def caller(tenant: str = "acme", **fields: Any) -> Caller:
    user = User(id=7, username="ada", email="ada@example.org")
    return Caller(tenant=tenant, user=user, role=fields.pop("role", "admin"), **fields)


def source(text: str | bytes = SOURCE, **headers: str) -> bytes:
    body = text.encode() if isinstance(text, str) else text
    return response(200, body, kind="text/plain; charset=utf-8", **headers)


def to(location: str, status: int = 302) -> bytes:
    return response(status, b"moved", Location=location)


async def refused(loading: Loading, url: str) -> Problem:
    """What is said of a URL that is not loaded."""
    with pytest.raises(Problem) as found:
        await loading.load(caller(), url)
    return found.value


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    return certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1", "127.0.0.2", "::1", "localhost", "code.example")


@pytest.fixture(scope="session")
def shut(tls: tuple[ssl.SSLContext, Path]) -> Platform:
    """Private networks are not open to users."""
    return Platform(nats_url="", mongodb_url="", egress_ca_file=str(tls[1]))


@pytest.fixture(scope="session")
def open_(tls: tuple[ssl.SSLContext, Path]) -> Platform:
    return Platform(nats_url="", mongodb_url="", egress_ca_file=str(tls[1]), egress_private=True)


@pytest.fixture
async def host(tls: tuple[ssl.SSLContext, Path]) -> AsyncIterator[Hook]:
    async with serving(tls=tls[0]) as host:
        yield host


@asynccontextmanager
async def opened(platform: Platform, **settings: Any) -> AsyncIterator[Loading]:
    loading = Loading(platform, Api(**settings))
    try:
        yield loading
    finally:
        await loading.close()


@pytest.fixture
async def loading(open_: Platform) -> AsyncIterator[Loading]:
    async with opened(open_) as loading:
        yield loading
