"""What is said of a task by the places where it was seen."""

import pytest

from shared.audit.compare import Marks, finding_of, where
from shared.audit.sheet import Row, Sheet
from shared.domain.invocation import FINAL

_MARKS = Marks(commands=100, ends=100, routed=100)
_ROW = Row("t", "acme", "f", "PENDING", 0, 7, 7, 0, "")


@pytest.mark.parametrize("status", sorted(FINAL))
def test_what_has_ended_on_record_is_well(status: str) -> None:
    assert finding_of(_ROW._replace(status=status), _MARKS) is None


@pytest.mark.parametrize(
    ("row", "number"),
    [
        (_ROW._replace(place="queued"), "queued"),
        (_ROW._replace(place="running"), "running"),
        (_ROW._replace(place="scheduled"), "scheduled"),
        (_ROW._replace(place="buried", status=""), "buried"),
        (_ROW._replace(command=101), "routing"),
        (_ROW._replace(command=101, status=""), "routing"),
        (_ROW._replace(event=101), "unrecorded"),
        (_ROW._replace(event=101, status=""), "unrecorded"),
    ],
)
def test_what_is_somewhere_is_well(row: Row, number: str) -> None:
    assert finding_of(row, _MARKS) is None
    assert where(row, _MARKS) == number


@pytest.mark.parametrize(
    ("row", "kind", "what"),
    [
        (_ROW, "lost", "place"),
        (_ROW._replace(status=""), "lost", "place"),
        (_ROW._replace(status="", place="queued"), "missing", "command"),
        (_ROW._replace(status="", event=9), "missing", "end"),
        (_ROW._replace(status="STARTED", event=9, place="running"), "stuck", "end"),
        (_ROW._replace(first=0, command=0), "stuck", "place"),
    ],
)
def test_what_is_not_is_found(row: Row, kind: str, what: str) -> None:
    finding = finding_of(row, _MARKS)
    assert finding is not None
    assert (finding.kind, finding.what, finding.task_id) == (kind, what, "t")


def test_what_the_recorder_has_not_read_is_not_missing() -> None:
    behind = _MARKS._replace(commands=5)
    assert finding_of(_ROW._replace(status="", place="queued"), behind) is None


@pytest.fixture
def sheet() -> Sheet:
    return Sheet()


def rows(sheet: Sheet) -> list[Row]:
    return [row for page in sheet.rows() for row in page]


def test_a_command_that_was_put_in_anew_is_the_same_task(sheet: Sheet) -> None:
    sheet.add([_ROW, _ROW._replace(first=0, command=30)])
    assert rows(sheet) == [_ROW._replace(command=30)]


def test_of_two_ends_the_first_one_counts(sheet: Sheet) -> None:
    sheet.add([_ROW])
    sheet.end([("t", 9), ("t", 5), ("t", 12), ("other", 1)])
    assert rows(sheet) == [_ROW._replace(event=5)]


def test_tries_and_places_are_those_of_the_task(sheet: Sheet) -> None:
    sheet.add([_ROW])
    sheet.retried([("t", 2), ("t", 1)])
    sheet.place([("t", "scheduled"), ("nobody", "queued")])
    assert rows(sheet) == [_ROW._replace(attempts=2, place="scheduled")]
    sheet.remove(["t"])
    assert rows(sheet) == []


def test_many_are_read_by_pages_while_they_are_changed(sheet: Sheet) -> None:
    sheet.add(_ROW._replace(task_id=f"{number:06}") for number in range(5000))
    seen = 0
    for page in sheet.rows():
        seen += len(page)
        sheet.remove(row.task_id for row in page)
    assert seen == 5000
    assert rows(sheet) == []


def test_a_command_that_could_not_be_read_is_buried(sheet: Sheet) -> None:
    sheet.add([_ROW, _ROW._replace(task_id="u", command=8)])
    sheet.bury([8, 99])
    assert [row.task_id for row in rows(sheet) if row.place == "buried"] == ["u"]
