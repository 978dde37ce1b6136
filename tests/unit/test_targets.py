"""How many functions one event may set off."""

from typing import Any, cast

import pytest
from prometheus_client import REGISTRY

from services.triggers import targets as module
from services.triggers.targets import Targets
from shared.bus.notices import FunctionChanged

NOBODY: Any = None


def left_out() -> float:
    return REGISTRY.get_sample_value("shoal_matches_left_out_total", {"kind": "s3_upload"}) or 0.0


def test_the_first_ones_are_set_off_and_the_rest_is_counted() -> None:
    targets = Targets(cast("Any", NOBODY), believed_s=1.0, matches=3)
    before = left_out()
    assert targets.bounded([1, 2, 3], tenant="acme", kind="s3_upload") == [1, 2, 3]
    assert left_out() == before
    assert targets.bounded([1, 2, 3, 4, 5], tenant="acme", kind="s3_upload") == [1, 2, 3]
    assert left_out() == before + 2


async def test_a_change_is_seen_at_once_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    class Asked:
        def __init__(self, _: object, tenant: str) -> None:
            self.tenant = tenant

        async def triggered_by(self, kind: str, *, limit: int) -> list[Any]:
            asked.append((self.tenant, kind))
            return [len(asked)]

    monkeypatch.setattr(module, "Functions", Asked)
    targets = Targets(cast("Any", NOBODY), believed_s=600.0, matches=3)
    assert await targets.of("other", "s3_upload") == (1,)
    for number in range(2, 50):
        assert await targets.of("acme", "s3_upload") == (number,)
        assert await targets.of("acme", "s3_upload") == (number,)
        await targets.changed(FunctionChanged(tenant="acme", function="f", revision=number))
    assert len(targets._found._entries) == 1
    assert await targets.of("other", "s3_upload") == (1,)
