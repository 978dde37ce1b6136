"""Long lists: whatever is known of them, counts and pages are those of the records."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from services.api.core import counting
from services.api.core.counting import Counting
from shared.store import milestones
from shared.store.client import Store, Upsert
from shared.store.invocations import Filter, Invocations, write
from shared.store.milestones import Milestones

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
A_DAY = timedelta(days=1)  # what is so much older than the newest record has settled
FILTERS = [
    Filter(),
    Filter(function_id=1),
    Filter(status="FAILURE"),
    Filter(function_id=2, status="SUCCESS"),
    Filter(user_id=3),
    Filter(user_id=3, function_id=1),
    Filter(trigger_type="schedule"),
    Filter(status="PENDING"),
    Filter(app_slug="left"),
    Filter(app_slug="left", status="FAILURE"),
]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "STEP", 5)
    monkeypatch.setattr(counting, "SMALL", 10)
    monkeypatch.setattr(counting, "_BATCH", 3)


class Records:
    """A tenant's records, beside what is to be found of them."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._random = random.Random(tenant)
        self.tenant = tenant
        self.rows: list[dict] = []

    async def add(self, count: int, *, at: datetime = LONG_AGO, **fields: object) -> None:
        rows = [
            self._row(len(self.rows) + number, at + timedelta(milliseconds=number)) | fields for number in range(count)
        ]
        self.rows += rows
        await write(self._store, [Upsert({"_id": row["_id"]}, {"$set": row}, row) for row in rows])

    def _row(self, number: int, at: datetime) -> dict:
        pick = self._random.choice
        return {
            "_id": f"{self.tenant}-{number}", "id": 10 + number * 3, "tenant": self.tenant,
            "function_id": pick([1, 1, 2]), "function_name": "F", "function_slug": "f", "created_at": at,
            "app_slug": pick(["left", "left", "right"]), "trigger_type": pick(["api", "schedule"]),
            "user_id": pick([3, 4, None]), "status": pick(["SUCCESS", "SUCCESS", "FAILURE"]),
        }  # fmt: skip

    def matching(self, wanted: Filter) -> list[int]:
        query = {name: value for name in Filter.__struct_fields__ if (value := getattr(wanted, name)) is not None}
        found = [row["id"] for row in self.rows if all(row[name] == value for name, value in query.items())]
        return sorted(found, reverse=True)

    async def check(self, lists: Counting) -> None:
        """Every filter, and every part of its list."""
        for wanted in FILTERS:
            ids = self.matching(wanted)
            for skip in [*range(0, len(ids) + 11, 11), len(ids) + 100]:
                count, found = await lists.listed(self.tenant, wanted, limit=4, skip=skip)
                assert count == len(ids), wanted
                assert [one.id for one in found] == ids[skip : skip + 4], (wanted, skip)


@pytest.fixture
def records(store: Store, request: pytest.FixtureRequest) -> Records:
    return Records(store, request.node.name.replace("_", "-"))


async def settle(lists: Counting, records: Records) -> None:
    """Every list looked at once, and surveyed."""
    for wanted in FILTERS:
        await lists.listed(records.tenant, wanted, limit=1, skip=0)
        await lists.surveyed()


async def last(store: Store, records: Records, wanted: Filter) -> int:
    generation = await milestones.generation(store, records.tenant)
    return (await Milestones(store, records.tenant, of=wanted.name, generation=generation).last()).rank


async def test_counts_and_pages_before_and_after_the_survey(store: Store, records: Records):
    lists = Counting(store)
    await records.add(90)
    await records.add(1, at=LONG_AGO + A_DAY)
    await records.check(lists)
    await settle(lists, records)
    assert await last(store, records, Filter()) >= 14
    assert await last(store, records, Filter(status="FAILURE")) >= 2
    assert await last(store, records, Filter(app_slug="left")) >= 5
    await records.check(lists)
    await records.check(Counting(store))  # another process
    await records.add(37, at=LONG_AGO + A_DAY)
    await records.add(1, at=LONG_AGO + 2 * A_DAY)
    await records.check(lists)
    await settle(lists, records)
    assert await last(store, records, Filter()) >= 22
    await records.check(Counting(store))


async def test_what_is_young_has_no_milestone(store: Store, records: Records):
    lists = Counting(store)
    await records.add(20)
    await records.add(1, at=LONG_AGO + A_DAY)
    await settle(lists, records)
    assert await last(store, records, Filter()) == 4
    await records.add(40, at=LONG_AGO + A_DAY - timedelta(seconds=10))
    await settle(lists, records)
    assert await last(store, records, Filter()) == 4
    await records.check(lists)


async def test_a_status_may_change_before_what_has_not_ended(store: Store, records: Records):
    lists = Counting(store)
    await records.add(30, status="SUCCESS")
    await records.add(1, status="PENDING")
    await records.add(60, status="SUCCESS")
    await records.add(1, at=LONG_AGO + A_DAY)
    await settle(lists, records)
    wanted = Filter(status="SUCCESS")
    await lists.listed(records.tenant, wanted, limit=1, skip=0)
    await lists.surveyed()
    assert await last(store, records, wanted) == 6
    assert await last(store, records, Filter()) > 6
    pending = next(row for row in records.rows if row["status"] == "PENDING")
    pending["status"] = "FAILURE"
    await write(store, [Upsert({"_id": pending["_id"]}, {"$set": {"status": "FAILURE"}})])
    await records.check(lists)


async def test_a_deletion_begins_anew(store: Store, records: Records):
    lists = Counting(store)
    await records.add(60)
    await records.add(1, at=LONG_AGO + A_DAY, function_id=2)
    await settle(lists, records)
    await Invocations(store, records.tenant).delete_of(1)
    late = Milestones(store, records.tenant, of=Filter().name, generation=0)
    await milestones.forget(store, records.tenant)
    await late.add([milestones.Milestone(30, 7)])  # a survey that had begun before
    records.rows = [row for row in records.rows if row["function_id"] != 1]
    await records.check(lists)
    await settle(lists, records)
    assert await last(store, records, Filter()) > 0
    await records.check(lists)


async def test_tenants_do_not_meet(store: Store, records: Records):
    lists = Counting(store)
    await records.add(60)
    await records.add(1, at=LONG_AGO + A_DAY)
    await settle(lists, records)
    assert await lists.listed("nobody-else", Filter(), limit=5, skip=0) == (0, [])
