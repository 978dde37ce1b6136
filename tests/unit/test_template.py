"""References in a pipeline's params, filled in."""

from typing import Any

import pytest

from shared.domain.template import MAX_REFERENCES, MissingError, fault, filled

VALUES = {"input": {"n": 1, "user": {"name": "Ada"}}, "previous": [{"total": 2.5}, None]}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("${input}", VALUES["input"]),
        ("${input.user.name}", "Ada"),
        ("${previous.0.total}", 2.5),
        ("${previous.1}", None),
        ("Dear ${input.user.name}, ${previous.0}: ${previous.1}", 'Dear Ada, {"total":2.5}: null'),
        ("$${input.n}", "${input.n}"),
        ("$${input.n} is ${input.n}", "${input.n} is 1"),
        ({"a": ["${input.n}", 2, {"b": "$5"}], "${input.n}": True}, {"a": [1, 2, {"b": "$5"}], "${input.n}": True}),
    ],
)
def test_references_become_what_they_name(template: Any, expected: Any) -> None:
    assert filled(template, VALUES) == expected


def test_what_was_filled_in_is_not_looked_into_again() -> None:
    assert filled("${input}", {"input": "${secret}", "secret": 1}) == "${secret}"


@pytest.mark.parametrize("path", ["input.x", "input.n.x", "previous.2", "previous.-1", "previous.total", "input.user."])
def test_what_is_not_there_is_named(path: str) -> None:
    with pytest.raises(MissingError, match=path):
        filled(f"a ${{{path}}}", VALUES)


def test_faults_are_found_without_values() -> None:
    names = frozenset({"input"})
    assert fault({"a": ["${input.a}", "$${what}"]}, names=names) == ""
    assert "${previous.a}" in fault({"a": ["${previous.a}"]}, names=names)
    assert "more than" in fault(["${input}" * (MAX_REFERENCES + 1)], names=names)
