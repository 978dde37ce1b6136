"""The comparison itself can fail."""

from typing import Any

import pytest

from tests.api.seed.shape import assert_alike

PRINTED = {"id": 1, "at": "2024-01-22T09:15:00Z", "rows": [{"on": True, "note": None}], "config": {"a": 1}, "x": 0.5}


@pytest.mark.parametrize(
    "change",
    [
        {"id": "1"}, {"id": True}, {"at": "2024-01-22"}, {"rows": []}, {"rows": [{"on": True}]}, {"config": None},
        {"rows": [{"on": 1, "note": None}]}, {"rows": [{"on": True, "note": "x"}]}, {"more": 1}, {"x": "0.5"},
        {"rows": [{"on": True, "note": None}, {"on": True, "note": None, "more": 1}]},
    ],
)  # fmt: skip
def test_it_tells_what_differs(change: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        assert_alike(PRINTED | change, PRINTED)


def test_it_lets_pass_what_may_be() -> None:
    assert_alike(PRINTED, PRINTED)
    other = PRINTED | {"config": {"b": [2]}, "x": 1, "more": 1, "id": None}
    assert_alike(other, PRINTED, extra={"more"}, nullable={"id"})
