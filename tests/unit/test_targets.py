"""How many functions one event may set off."""

from typing import Any, cast

from prometheus_client import REGISTRY

from services.triggers.targets import Targets

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
