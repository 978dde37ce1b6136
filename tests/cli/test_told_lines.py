"""What the end of a call still has to tell of its lines."""

from typing import Any

from cli.told_lines import ToldLines, is_worth


def entry(*numbers: int | None) -> dict[str, Any]:
    return {"task_id": "t", "consoleLogs": [{} if number is None else {"n": number} for number in numbers]}


def line(number: int, **fields: object) -> dict[str, Any]:
    return {"task_id": "t", "n": number, **fields}


def test_a_call_nobody_followed_is_told_whole():
    assert ToldLines().ended(entry(1, 2)) == [{"n": 1}, {"n": 2}]


def test_what_was_told_line_by_line_is_not_told_again():
    told = ToldLines()
    assert [told.line(line(number)) for number in (1, 2, 2, 1, 3)] == [True, True, False, False, True]
    assert told.ended(entry(1, 2, 3, 4, None)) == [{"n": 4}, {}]
    assert told.ended(entry(1)) == [{"n": 1}]  # it is forgotten


def test_what_was_in_a_gap_is_told_with_the_end():
    told = ToldLines()
    told.line(line(1))
    told.gap({"task_id": "t", "from": 2, "to": 4})
    told.line(line(5))
    told.gap({"task_id": "t", "from": 1, "to": 5})  # after a break: all of them were told, or are in the other gap
    told.gap({"task_id": None, "from": 1, "to": None})
    told.gap({"message": "history"})
    assert told.ended(entry(1, 2, 3, 4, 5)) == [{"n": 2}, {"n": 3}, {"n": 4}]


def test_a_gap_without_an_end():
    told = ToldLines()
    told.line(line(1))
    told.gap({"task_id": "t", "from": 2, "to": None})
    assert told.ended(entry(1, 2, 99)) == [{"n": 2}, {"n": 99}]


def test_another_attempt_counts_anew():
    told = ToldLines()
    told.line(line(1))
    assert told.line(line(1, attempt=2))
    assert told.ended(entry(1, 2)) == [{"n": 2}]


def test_levels():
    levels = ("debug", "log", "info", "warn", "warning", "error", "unheard of")
    worth = {least: [level for level in levels if is_worth({"level": level}, least)] for least in ("all", "warning")}
    assert worth == {"all": list(levels), "warning": ["warn", "warning", "error"]}
