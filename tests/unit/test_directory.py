"""The router's cache: never older than what a command has seen, and asked for once."""

import asyncio
from datetime import UTC, datetime

import pytest

from shared.bus.notices import FunctionChanged
from shared.directory import Directory
from shared.domain.function import Function
from shared.domain.problem import Problem


def function(id: int, revision: int) -> Function:
    now = datetime.now(UTC)
    return Function(
        id=id, tenant="acme", app=1, app_slug="a", app_name="A", name="F", slug="f", execution_mode="app",
        revision=revision, created_at=now, updated_at=now,
    )  # fmt: skip


class Known(Directory):
    """A directory whose store is a field."""

    def __init__(self, stored: Function | None) -> None:
        super().__init__(None, cache_s=60)  # type: ignore[arg-type]
        self.stored = stored
        self.asked = 0
        self.away = False

    async def _ask(self, key: tuple[str, str]) -> Function | None:
        self.asked += 1
        stored = self.stored
        await asyncio.sleep(0)
        if self.away:
            raise Problem("unavailable", "away")
        return stored


async def test_what_is_known_is_not_asked_for_again():
    directory = Known(function(1, 3))
    for revision in (1, 2, 3):
        assert await directory.find("acme", "f", revision=revision, id=1) is directory.stored
    assert directory.asked == 1


async def test_a_newer_revision_is_asked_for_once_by_all():
    directory = Known(function(1, 1))
    await directory.find("acme", "f", revision=1)
    directory.stored = function(1, 2)
    found = await asyncio.gather(*(directory.find("acme", "f", revision=2, id=1) for _ in range(50)))
    assert {one.revision for one in found if one} == {2}
    assert directory.asked == 2


async def test_a_look_up_that_began_too_early_is_followed_by_another():
    directory = Known(function(1, 1))
    early = asyncio.create_task(directory.find("acme", "f", revision=1))
    while not directory.asked:
        await asyncio.sleep(0)
    directory.stored = function(1, 2)
    late = await asyncio.gather(*(directory.find("acme", "f", revision=2) for _ in range(10)))
    assert (await early).revision == 1
    assert {one.revision for one in late if one} == {2}
    assert directory.asked == 2


async def test_deleted_and_made_anew_without_a_notice():
    directory = Known(function(1, 50))
    await directory.find("acme", "f", revision=50, id=1)
    directory.stored = function(2, 1)
    assert await directory.find("acme", "f", revision=1, id=2) is directory.stored
    assert directory.asked == 2
    # A command for the former one: what is known is newer, and says so without a look.
    assert await directory.find("acme", "f", revision=50, id=1) is directory.stored
    assert directory.asked == 2


async def test_without_the_store_what_is_known_serves_those_whom_it_is_new_enough_for():
    directory = Known(function(1, 1))
    await directory.find("acme", "f", revision=1, id=1)
    directory.away = True
    await directory.changed(FunctionChanged(tenant="acme", function="f", revision=2))
    assert await directory.find("acme", "f", revision=1, id=1) is directory.stored
    with pytest.raises(Problem):
        await directory.find("acme", "f", revision=2, id=1)


async def test_a_notice_makes_it_ask_again():
    directory = Known(function(1, 1))
    await directory.find("acme", "f", revision=1)
    directory.stored = None
    await directory.changed(FunctionChanged(tenant="acme", function="f", revision=0))
    assert await directory.find("acme", "f", revision=1) is None
