"""Labels whose values users choose are bounded."""

import re
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shared import labels
from shared.labels import Bounded, FunctionLabels

ROOT = Path(__file__).resolve().parents[2]


def test_the_first_ones_have_labels_of_their_own_for_good() -> None:
    bounded: Bounded[str] = Bounded(2)
    assert [bounded.has_own(value) for value in ("a", "b", "c", "a", "b", "d")] == [
        True,
        True,
        False,
        True,
        True,
        False,
    ]


def test_none_has_one_where_none_may() -> None:
    assert FunctionLabels(functions=0, tenants=5).of("acme", "f") == ("acme", "other")
    assert FunctionLabels(functions=5, tenants=0).of("acme", "f") == ("other", "other")


def test_the_function_of_a_tenant_without_a_label_takes_none_of_another() -> None:
    given = FunctionLabels(functions=2, tenants=1)
    assert given.of("acme", "f") == ("acme", "f")
    assert given.of("umbrella", "f") == ("other", "other")
    assert given.of("acme", "g") == ("acme", "g")
    assert given.of("acme", "h") == ("acme", "other")


def test_no_tenant_has_more_than_are_left_for_the_others() -> None:
    given = FunctionLabels(functions=200, tenants=50)

    def own(tenant: str) -> int:
        return sum(given.of(tenant, f"f-{number}") == (tenant, f"f-{number}") for number in range(1000))

    assert [own("first"), own("second"), own("third")] == [100, 50, 25]
    assert given.of("late", "f") == ("late", "f")
    assert own("first") == 100  # for good, and no more


def test_the_only_tenant_has_them_all() -> None:
    given = FunctionLabels(functions=200, tenants=1)
    assert sum(given.of("acme", f"f-{number}")[1] != "other" for number in range(1000)) == 200


def test_who_is_really_called_other_is_not_the_others() -> None:
    given = FunctionLabels(functions=4, tenants=2)
    assert given.of("other", "other") == ("slug:other", "slug:other")
    assert given.of("other", "f") == ("slug:other", "f")
    assert given.of("other", "beyond") == ("slug:other", "other")
    assert given.of("acme", "other") == ("acme", "slug:other")
    assert given.of("umbrella", "other") == ("other", "other")


_SLUGS = [*"stuvwxyz", "other"]


@given(st.lists(st.tuples(st.sampled_from([*"abcdefgh", "other"]), st.sampled_from(_SLUGS))))
def test_there_are_never_more_than_so_many(asked: list[tuple[str, str]]) -> None:
    given = FunctionLabels(functions=5, tenants=3)
    found = [given.of(*one) for one in asked]
    functions = {(tenant, function) for tenant, function in found if function != "other"}
    assert len(functions) <= 5
    assert len({tenant for tenant, _ in found if tenant != "other"}) <= 3
    assert max(Counter(tenant for tenant, _ in functions).values(), default=0) <= 3
    # Whoever has labels of their own keeps them, and shares them with nobody.
    owners = {label: one for one, label in zip(asked, found, strict=True) if "other" not in label}
    assert all(given.of(*one) == label for label, one in owners.items())
    assert all(owners[label] == one for one, label in zip(asked, found, strict=True) if label in owners)


def test_an_error_that_a_function_has_chosen_is_another_one() -> None:
    assert labels.error("TimeoutError") == "TimeoutError"
    assert labels.error("MyOwnError") == "other"
    assert labels.error("") == "none"


def test_every_error_that_the_platform_gives_is_known() -> None:
    """Those that stand in its code as an outcome's type."""
    given = re.compile(r'(?:\bfailure\(|\berror_type=)\s*"([A-Za-z]+)"')
    sources = [path for folder in ("shared", "services") for path in (ROOT / folder).rglob("*.py")]
    found = {name for path in sources for name in given.findall(path.read_text())}
    assert "TimeoutError" in found
    assert found <= labels.ERRORS
