"""Whether an answer has the shape of the printed one: the same fields of the same types, and no others by accident."""

import re
from collections.abc import Collection
from typing import Any, NamedTuple

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
# Fields that hold what a user has put there: of these only the type is the specification's.
FREE = frozenset({"config", "headers", "auth_config", "schedule_params"})


def assert_alike(answer: Any, printed: Any, *, extra: Collection[str] = (), nullable: Collection[str] = ()) -> None:
    """Compare. `extra` are the fields that an answer may have beyond the printed, `nullable` those that may be null.

    Each is named by its path: `result.data`, and `[]` for an entry of a list.
    """
    _compare(answer, printed, "", Allowed(frozenset(extra), frozenset(nullable)))


class Allowed(NamedTuple):
    """The paths at which an answer may differ."""

    extra: frozenset[str]
    nullable: frozenset[str]


def _compare(answer: Any, printed: Any, path: str, allowed: Allowed) -> None:
    if answer is None and path in allowed.nullable:
        return
    if path.rpartition(".")[2] in FREE:
        assert isinstance(answer, dict), path
    elif isinstance(printed, dict):
        assert isinstance(answer, dict), (path, answer)
        missing = printed.keys() - answer.keys()
        more = {_join(path, name) for name in answer.keys() - printed.keys()} - allowed.extra
        assert not missing, f"{path or 'the answer'} lacks {sorted(missing)}"
        assert not more, f"not in the specification: {sorted(more)}"
        for name, value in printed.items():
            _compare(answer[name], value, _join(path, name), allowed)
    elif isinstance(printed, list):
        assert isinstance(answer, list), (path, answer)
        assert answer or not printed, f"{path} is empty"
        for entry in answer:
            _compare(entry, printed[0], f"{path}[]", allowed)
    else:
        _compare_plain(answer, printed, path)


def _compare_plain(answer: Any, printed: Any, path: str) -> None:
    if isinstance(printed, str) and STAMP.fullmatch(printed):
        assert isinstance(answer, str), (path, answer)
        assert STAMP.fullmatch(answer), (path, answer)
    elif isinstance(printed, float) and not isinstance(printed, bool):
        assert isinstance(answer, int | float), (path, answer)
        assert not isinstance(answer, bool), path
    else:
        assert type(answer) is type(printed), (path, answer, printed)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
