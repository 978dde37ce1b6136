"""A line about an invocation or a tick says whose it is."""

import time

import pytest
from structlog.testing import capture_logs

from services.executor import orphans
from shared.bus import consumer
from shared.bus.delivery import Delivery
from shared.bus.messages import Invoke
from shared.bus.notices import Tick
from shared.domain.problem import Problem
from tests.flow.commands import command


class Cancels:
    """The parent was cancelled."""

    async def by(self, tenant: str, task_id: str) -> str:
        return "admin"


async def away(*_: object, **__: object) -> None:
    raise Problem("unavailable", "the bus is away")


@pytest.mark.parametrize(("found", "function"), [(True, "f"), (False, None)])
async def test_a_child_that_cannot_be_cancelled_is_named_not_its_parent(
    found: bool, function: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find(*_: object, **__: object) -> Delivery[Invoke]:
        return Delivery(body=command("child"), sequence=1, count=1)

    monkeypatch.setattr(orphans, "_AGAIN_S", 0.0)
    monkeypatch.setattr(orphans, "find_command", find if found else away)
    monkeypatch.setattr(orphans, "cancel", away)
    ending = orphans.Orphans(None, Cancels())  # type: ignore[arg-type]  # the bus is not asked
    with capture_logs() as said:
        await ending._end("acme", "parent", child="child", since=time.time())
    assert said == [
        {
            "event": "could not cancel",
            "log_level": "warning",
            "part": "orphans",
            "tenant": "acme",
            "function": function,
            "task_id": "child",
            "parent_task_id": "parent",
        }
    ]


def test_a_tick_is_named_by_its_function_and_its_moment() -> None:
    tick = Tick(tenant="acme", function_id=7, due=1_800_000_000, plan="* * * * *")
    assert consumer._whose(tick) == {"tenant": "acme", "function_id": 7, "due": 1_800_000_000}


def test_a_command_is_named_by_its_task() -> None:
    assert consumer._whose(command("t-1")) == {
        "task_id": "t-1", "tenant": "acme", "function": "f", "function_id": 1,
    }  # fmt: skip
