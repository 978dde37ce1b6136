"""What tells a function that sets itself off from people who upload much: by its word, and by the times of its runs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import pytest

from services.triggers.config import Triggers
from services.triggers.kinds.s3 import lineage as module
from services.triggers.kinds.s3.event import ObjectEvent
from services.triggers.kinds.s3.lineage import Descent, Lineage
from services.triggers.kinds.s3.matching import wanted
from services.triggers.kinds.s3.tellers.fields import stamp_of
from shared.domain.trigger import Trigger
from shared.store.invocations import Span
from tests.unit.test_s3_matching import event, function

DEEP, INFERRED = 8, 100
TASK = "0192d3a0-7b3c-7def-8123-456789abcdef"
START = 1_795_288_185.25
FUNCTION = function(Trigger("s3_upload", {"bucket": "uploads", "prefix": "in/"}))
WANTED = wanted(FUNCTION)
assert WANTED is not None


class Took(NamedTuple):
    """How long after its upload a run began and ended, seconds; None where that is not on record."""

    begin_s: float | None = 0.05
    end_s: float | None = 0.2


class Uploads:
    """Uploads one after another, and the record of the runs that they set off."""

    def __init__(self, *, whole_seconds: bool = False, **settings: Any) -> None:
        self.lineage = Lineage(self._spans, Triggers(s3_max_depth=DEEP, s3_max_inferred=INFERRED, **settings))
        self.record: dict[str, Span] = {}
        self.asked = 0
        self._whole_seconds = whole_seconds
        self._count = 0

    async def come(self, key: str, at: float, took: Took | None = None, **metadata: str) -> Descent:
        """One upload; it is run for unless it is refused."""
        took = took or Took()
        told = event(key, at=stamp_of(int(at) if self._whole_seconds else at))
        assert WANTED is not None
        said = {name.replace("_", "-"): value for name, value in metadata.items()}
        descent = await self.lineage.descent(FUNCTION, WANTED, told, said)
        if not descent.refusal:
            self._count += 1
            task_id = f"task-{self._count}"
            self.record[task_id] = Span(_moment(at, took.begin_s), _moment(at, took.end_s))
            self.lineage.ran(FUNCTION, WANTED, told, descent, task_id=task_id)
        return descent

    async def _spans(self, tenant: str, task_ids: Sequence[str]) -> Mapping[str, Span]:
        assert tenant == FUNCTION.tenant
        self.asked += 1
        return {task_id: self.record[task_id] for task_id in task_ids}


def _moment(at: float, after_s: float | None) -> datetime | None:
    return None if after_s is None else datetime.fromtimestamp(at + after_s, UTC)


async def test_what_a_function_says_counts():
    uploads = Uploads()
    for depth in range(DEEP):
        descent = await uploads.come(f"in/{depth}x", START, shoal_depth=str(depth), shoal_task=TASK)
        assert (descent.depth, descent.parent, descent.refusal) == (depth + 1, TASK, "")
    descent = await uploads.come("in/last", START, shoal_depth=str(DEEP), shoal_task=TASK)
    assert (descent.depth, descent.parent) == (DEEP + 1, TASK)
    assert "9 deep by its metadata shoal-depth; 8 is the most" in descent.refusal
    assert uploads.asked == 0


async def test_what_functions_say_counts_through_all_of_them():
    """A writes where B is set off, and B where A is."""
    uploads, other = Uploads(), function(Trigger("s3_upload", {"bucket": "uploads", "prefix": "out/"}), id=2)
    theirs = wanted(other)
    assert theirs is not None
    for depth in range(0, DEEP, 2):
        assert not (await uploads.come("in/a", START + depth, shoal_depth=str(depth))).refusal
        said = {"shoal-depth": str(depth + 1)}
        descent = await uploads.lineage.descent(other, theirs, event("out/a", at=stamp_of(START + depth)), said)
        assert (descent.depth, descent.refusal) == (depth + 2, "")
    assert (await uploads.come("in/a", START + DEEP, shoal_depth=str(DEEP))).refusal


@pytest.mark.parametrize("said", ["", "-1", "two", "1.5", "9" * 50, "²", "0x1"])
async def test_what_is_no_depth_is_none(said: str):
    descent = await Uploads().come("in/a", START, shoal_depth=said, shoal_task="not a task")
    assert (descent.depth, descent.parent, descent.refusal) == (0, "", "")


@pytest.mark.parametrize("whole_seconds", [False, True])
@pytest.mark.parametrize("cycle_s", [0.03, 0.4, 5.0])
async def test_a_function_that_overwrites_what_set_it_off(cycle_s: float, whole_seconds: bool):
    uploads = Uploads(whole_seconds=whole_seconds)
    for number in range(INFERRED + 1):
        took = Took(cycle_s * 0.1, cycle_s * 1.2)
        assert (await uploads.come("in/a.png", START + number * cycle_s, took)).refusal == ""
    descent = await uploads.come("in/a.png", START + (INFERRED + 1) * cycle_s)
    assert "101 deep by all appearance; 100 is the most" in descent.refusal
    assert descent.parent == f"task-{INFERRED + 1}"


async def test_a_function_that_makes_keys_of_keys():
    uploads, key = Uploads(), "in/a.png"
    for number in range(DEEP + 1):
        assert (await uploads.come(key, START + number, Took(0.1, 1.1))).refusal == ""
        key = f"in/thumb-{key.removeprefix('in/')}"
    assert "8 is the most" in (await uploads.come(key, START + DEEP + 1)).refusal


async def test_a_function_that_makes_two_of_one():
    """Each upload becomes two more: that must not go on for a hundred generations."""
    uploads, waiting, ran = Uploads(), [("in/a", START)], 0
    while waiting:
        key, at = waiting.pop(0)
        if (await uploads.come(key, at, Took(0.0, 1.1))).refusal:
            continue
        ran += 1
        waiting += [(f"{key}-x", at + 0.9), (f"{key}-y", at + 1.0)]
    assert ran <= 2 ** (DEEP + 2)


async def test_a_loop_whose_last_runs_are_not_on_record_yet():
    uploads = Uploads()
    for number in range(2 * INFERRED):
        took = Took(None, None) if number > INFERRED - 10 else Took(0.0, 0.05)
        if (await uploads.come("in/a.png", START + number * 0.04, took)).refusal:
            break
    assert number == INFERRED + 1


async def test_a_loop_stays_stopped_until_its_runs_are_over():
    uploads = Uploads()
    for number in range(INFERRED + 1):
        await uploads.come("in/a.png", START + number, Took(0.1, 1.1))
    for number in range(5):
        assert (await uploads.come("in/a.png", START + INFERRED + 1 + number / 20)).refusal
    assert (await uploads.come("in/a.png", START + INFERRED + 60)).refusal == ""


@pytest.mark.parametrize("run_s", [0.05, 0.5, 1.5, 30.0])
@pytest.mark.parametrize("whole_seconds", [False, True])
async def test_a_client_that_overwrites_a_key_every_second_for_a_minute(run_s: float, whole_seconds: bool):
    uploads = Uploads(whole_seconds=whole_seconds)
    for second in range(60):
        assert (await uploads.come("in/status.json", START + second, Took(0.01, run_s))).refusal == ""


async def test_a_client_that_overwrites_a_key_every_five_seconds_for_a_day():
    uploads = Uploads(whole_seconds=True)
    for number in range(24 * 720):
        assert (await uploads.come("in/status.json", START + number * 5, Took(0.1, 1.5))).refusal == ""
    assert uploads.asked <= 24 * 720 / INFERRED + 1


async def test_ten_thousand_keys_at_once():
    uploads = Uploads()
    for keys in (lambda n: f"in/img{n}.png", lambda n: f"in/user-{n}/avatar.png", lambda n: f"in/2026/{n:06}"):
        for number in range(10_000):
            assert (await uploads.come(keys(number), START + number / 1000, Took(0.0, 30.0))).refusal == ""
    assert uploads.asked == 0
    assert len(uploads.lineage) == module._MOST


async def test_a_burst_on_one_key_that_waits_for_its_turn():
    uploads = Uploads()
    for number in range(5 * INFERRED):
        assert (await uploads.come("in/a", START + number / 100, Took(None, None))).refusal == ""


async def test_runs_that_never_began_write_nothing():
    uploads = Uploads()
    for number in range(2 * INFERRED):
        assert (await uploads.come("in/a", START + number / 100, Took(None, 0.01))).refusal == ""


async def test_functions_buckets_and_tenants_are_apart():
    uploads = Uploads()
    assert WANTED is not None
    descent = await uploads.come("in/a", START)
    for other, told in (
        (msgspec.structs.replace(FUNCTION, id=8), event("in/a")),
        (msgspec.structs.replace(FUNCTION, tenant="other"), event("in/a")),
        (FUNCTION, event("in/a", bucket="others")),
        (FUNCTION, event("in/b")),
    ):
        assert not uploads.lineage.may_follow(other, WANTED, told)
    assert uploads.lineage.may_follow(FUNCTION, WANTED, event("in/a-1"))
    assert descent == Descent()


async def test_an_event_without_a_time_came_now():
    uploads = Uploads()
    assert WANTED is not None
    told = ObjectEvent(teller="t", name="ObjectCreated:Put", bucket="uploads", key="in/a")
    assert (await uploads.lineage.descent(FUNCTION, WANTED, told, {})).refusal == ""
    uploads.lineage.ran(FUNCTION, WANTED, told, Descent(), task_id="task-1")
    assert len(uploads.lineage) == 1
