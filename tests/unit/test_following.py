"""Who follows a log and what he leaves behind."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.api.core.following import Since
from services.api.core.logs import Logs
from shared.domain.caller import Caller, User
from shared.domain.problem import Problem

ADA = Caller(tenant="acme", user=User(1, "ada", "ada@example.com"), role="developer")


class Lines:
    """Those of a function, heard until nobody does any more."""

    def __init__(self) -> None:
        self.heard = 0

    async def follow(self, _function: Any) -> "Lines":
        self.heard += 1
        return self

    async def close(self) -> None:
        self.heard -= 1


async def away(*_: Any, **__: Any) -> None:
    raise TimeoutError


async def test_who_cannot_begin_leaves_nothing_behind() -> None:
    bus = SimpleNamespace(client=SimpleNamespace(request=away), timeout_s=1.0)
    lines, function = Lines(), SimpleNamespace(tenant="acme", slug="f", id=1)
    logs = Logs(*cast(Any, (bus, None, None)), lines=cast(Any, lines), most=5, most_of_one=5, keep_alive_s=1.0)
    with pytest.raises(Problem):
        await logs.follow(ADA, cast(Any, function), Since(), failed=False, lines=True)
    assert (lines.heard, len(logs)) == (0, 0)
