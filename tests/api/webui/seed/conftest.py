"""The specification's own commands, run by a shell as it prints them: only host and tokens are put in their places."""

import asyncio

import pytest

from shared.store.client import Store
from tests import people
from tests.api.seed.conftest import CURL_S, Answer
from tests.platform import Platform

HOST, ADMIN, USER = "https://your-instance.com", "YOUR_ADMIN_API_KEY", "YOUR_API_KEY"
TENANT = "seed-of-plugins"


class Printed:
    """Runs what is printed, as the administrator of a tenant of its own and as one of its users."""

    def __init__(self, url: str, *, admin: str, user: str) -> None:
        self._url = url
        self._admin = admin
        self._user = user

    async def curl(self, command: str, *, url: str = HOST) -> Answer:
        """A command line; `url` is the prefix that is asked in the place of the printed one."""
        assert command.count(HOST) == 1
        placed = command.strip().replace(HOST, url.replace(HOST, self._url))
        placed = placed.replace(ADMIN, self._admin).replace(USER, self._user)
        process = await asyncio.create_subprocess_shell(
            placed + " --silent --show-error --write-out '\\n%{http_code}'",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), timeout=CURL_S)
        assert process.returncode == 0, err.decode()
        body, _, status = out.decode().rpartition("\n")
        return Answer(int(status), body)


@pytest.fixture(scope="module")
async def printed(platform: Platform) -> Printed:
    store = Store(platform.ready["mongodb"], database="shoal")
    tokens = {}
    for role in ("admin", "user"):
        account = await people.account(store, f"seed-{role}", tenant=TENANT, role=role)
        tokens[role] = await people.token_for(store, account)
    store.close()
    return Printed(platform.url, **tokens)
