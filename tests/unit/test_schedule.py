"""Cron expressions against a walker that looks at every minute, and the two days a year on which clocks are set."""

import functools
import itertools
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.domain.problem import Problem
from shared.schedule import check_schedule, timetable

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ZONES = ["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Europe/Berlin"]
# Days round the changes of 2026 in these zones, and one in the middle of nowhere.
DAYS = ["2026-03-07", "2026-03-28", "2026-04-04", "2026-06-15", "2026-10-03", "2026-10-24", "2026-10-31", "2027-02-27"]


def named(field: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for term in field.split(","):
        body, _, step = term.partition("/")
        first, last = (low, high) if body == "*" else (int(body.split("-")[0]), int(body.split("-")[-1]))
        found.update(range(first, last + 1, int(step or 1)))
    return frozenset(found)


class Walked:
    """An expression as sets of numbers."""

    def __init__(self, expression: str) -> None:
        minute, hour, day, month, weekday = expression.split()
        self.minutes, self.hours = named(minute, 0, 59), named(hour, 0, 23)
        self.days, self.months = named(day, 1, 31), named(month, 1, 12)
        self.weekdays = {one % 7 for one in named(weekday, 0, 7)}
        # A field that leaves nothing out narrows nothing.
        self.either = len(self.days) < 31 and len(self.weekdays) < 7
        starred = minute.startswith("*") or hour.startswith("*")
        self.fixed = not starred and len(self.minutes) < 60 and len(self.hours) < 24

    def shows(self, wall: datetime) -> bool:
        if wall.minute not in self.minutes or wall.hour not in self.hours or wall.month not in self.months:
            return False
        on_day, on_weekday = wall.day in self.days, wall.isoweekday() % 7 in self.weekdays
        return (on_day or on_weekday) if self.either else (on_day and on_weekday)


@functools.cache
def walls(zone: ZoneInfo, start: datetime, minutes: int) -> list[datetime]:
    """What the clock on the wall shows at each minute, from four hours before the start."""
    return [(start + timedelta(minutes=one)).astimezone(zone).replace(tzinfo=None) for one in range(-240, minutes)]


def walked(expression: str, zone: ZoneInfo, start: datetime, *, minutes: int) -> list[int]:
    """Every due minute in a stretch of time, found by looking at each: it knows nothing of how the other one works."""
    walker = Walked(expression)
    fixed = walker.fixed
    found: list[int] = []
    fired_walls: set[datetime] = set()
    seen = walls(zone, start, minutes)
    for number, (before, wall) in enumerate(itertools.pairwise(seen), start=-239):
        # The walls that pass with this minute: more than one where the clock jumps, none anew where it is set back.
        passed = [wall]
        if fixed and wall > before + timedelta(minutes=1):
            gap = int((wall - before).total_seconds() // 60)
            passed = [before + timedelta(minutes=1 + skipped) for skipped in range(gap)]
        hits = {one for one in passed if walker.shows(one)}
        if fixed:
            hits -= fired_walls
            fired_walls |= hits
        if hits and number >= 0:
            found.append(int(start.timestamp()) + number * 60)
    return found


def some_field(chance: random.Random, low: int, high: int) -> str:
    kind = chance.random()
    first = chance.randint(low, high - 1)
    last = chance.randint(first + 1, high)
    if kind < 0.35:
        return "*"
    if kind < 0.5:
        return f"*/{chance.randint(1, max(1, (high - low) // 2))}"
    if kind < 0.7:
        return ",".join(str(chance.randint(low, high)) for _ in range(chance.randint(1, 3)))
    if kind < 0.85:
        return f"{first}-{last}"
    return f"{first}-{last}/{chance.randint(1, last - first)}"


def some_expression(chance: random.Random) -> str:
    day = some_field(chance, 1, 31) if chance.random() < 0.3 else "*"
    month = some_field(chance, 1, 12) if chance.random() < 0.1 else "*"
    weekday = some_field(chance, 0, 7) if chance.random() < 0.3 else "*"
    return f"{some_field(chance, 0, 59)} {some_field(chance, 0, 23)} {day} {month} {weekday}"


@pytest.mark.parametrize("part", range(8))
def test_two_thousand_random_expressions_as_the_minute_walker_finds_them(part: int) -> None:
    chance = random.Random(20_261_122 + part)
    minutes = 36 * 60
    for number in range(250):
        expression, zone = some_expression(chance), ZONES[number % len(ZONES)]
        start = datetime.fromisoformat(chance.choice(DAYS)).replace(tzinfo=UTC)
        first, last = int(start.timestamp()), int(start.timestamp()) + minutes * 60
        expected = walked(expression, ZoneInfo(zone), start, minutes=minutes)
        table = timetable(expression, zone)
        moments = {first - 1, last - 1, *(chance.randrange(first, last) for _ in range(12))}
        moments |= {one - less for one in chance.sample(expected, min(6, len(expected))) for less in (0, 1)}
        for moment in moments:
            wanted = next((one for one in expected if one > moment), None)
            found = table.after(moment)
            assert found == wanted or (wanted is None and (found is None or found >= last)), (expression, zone, moment)
        if expected:  # and backwards: from a due moment, from just before it, from anywhere
            for moment in (expected[-1], expected[-1] - 1, chance.randint(expected[0], last - 1)):
                wanted = max((one for one in expected if one <= moment), default=None)
                assert wanted is None or table.latest(moment) == wanted, (expression, zone, moment)


def due_between(expression: str, zone: str, first: str, last: str) -> list[str]:
    table, clock = timetable(expression, zone), ZoneInfo(zone)
    start = int(datetime.fromisoformat(first).replace(tzinfo=clock).timestamp())
    end = int(datetime.fromisoformat(last).replace(tzinfo=clock).timestamp())
    found = []
    due = table.after(start - 1)
    while due is not None and due < end:
        found.append(datetime.fromtimestamp(due, clock).isoformat()[5:])
        due = table.after(due)
    return found


@pytest.mark.parametrize(
    ("expression", "zone", "day", "expected"),
    [
        ("30 2 * * *", "America/New_York", "2026-03-08", ["03-08T03:00:00-04:00"]),
        ("0,30 2 * * *", "America/New_York", "2026-03-08", ["03-08T03:00:00-04:00"]),
        ("30 1 * * *", "America/New_York", "2026-11-01", ["11-01T01:30:00-04:00"]),
        ("*/30 2 * * *", "America/New_York", "2026-03-08", []),
        ("*/30 1 * * *", "America/New_York", "2026-11-01",
         ["11-01T01:00:00-04:00", "11-01T01:30:00-04:00", "11-01T01:00:00-05:00", "11-01T01:30:00-05:00"]),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-04", ["10-04T02:30:00+11:00"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-05", ["04-05T01:45:00+11:00"]),
        ("*/15 1 * * *", "Australia/Lord_Howe", "2026-04-05",
         ["04-05T01:00:00+11:00", "04-05T01:15:00+11:00", "04-05T01:30:00+11:00", "04-05T01:45:00+11:00",
          "04-05T01:30:00+10:30", "04-05T01:45:00+10:30"]),
    ],
)  # fmt: skip
def test_the_days_on_which_clocks_are_set(expression: str, zone: str, day: str, expected: list[str]) -> None:
    assert due_between(expression, zone, f"{day}T00:00", f"{day}T12:00") == expected


def test_an_hourly_schedule_comes_due_in_every_hour_that_passes() -> None:
    assert len(due_between("0 * * * *", "America/New_York", "2026-03-08", "2026-03-09")) == 23
    assert len(due_between("0 * * * *", "America/New_York", "2026-11-01", "2026-11-02")) == 25
    assert len(due_between("*/15 * * * *", "America/New_York", "2026-11-01", "2026-11-02")) == 100


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@midnight", "0 0 * * *"), ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"), ("@yearly", "0 0 1 1 *"), ("@annually", "0 0 1 1 *"), ("@Hourly", "0 * * * *"),
        ("0 9 * * 7", "0 9 * * 0"), ("0 9 * * SUN", "0 9 * * 0"), ("0 9 * * mon-fri", "0 9 * * 1-5"),
        ("0 9 * * fri-sun", "0 9 * * 5,6,0"), ("0 9 * JAN-mar *", "0 9 * 1-3 *"), ("  0   9 * * * ", "0 9 * * *"),
    ],
)  # fmt: skip
def test_names_and_short_forms(given: str, same: str) -> None:
    now = int(NOW.timestamp())
    assert timetable(given, "UTC").upcoming(now, count=20) == timetable(same, "UTC").upcoming(now, count=20)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("* * * *", "five fields"), ("0 * * * * *", "five fields"), ("61 * * * *", "'61' is no minute"),
        ("* 24 * * *", "'24' is no hour"), ("* * 0 * *", "no day of the month"), ("* * * 13 *", "no month"),
        ("* * * * 8", "no day of the week"), ("* * * * someday", "no day of the week"), ("*/90 * * * *", "the step"),
        ("*/0 * * * *", "the step"), ("5/15 * * * *", "step without a range"), ("* 22-2 * * *", "runs backwards"),
        ("@never", "knows @yearly"), ("0 0 31 2 *", "never comes due"), ("0 0 31 feb,apr *", "never comes due"),
        ("", "required"), ("R * * * *", "no minute"), ("? * * * *", "not understood"), ("1,,2 * * * *", "understood"),
        ("\u0661 * * * *", "understood"), ("-5 * * * *", "understood"),
    ],
)  # fmt: skip
def test_a_bad_expression_is_refused_with_a_sentence(expression: str, said: str) -> None:
    with pytest.raises(Problem, match=said) as refused:
        check_schedule(enabled=True, expression=expression, zone="UTC", now=NOW)
    assert refused.value.code == "invalid"
    assert list(refused.value.fields) == ["cron_expression"]


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "", "../etc/passwd", "right/UTC", "utc\0", "localtime", "america/new_york"]
)
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(Problem, match="IANA") as refused:
        check_schedule(enabled=False, expression="", zone=zone, now=NOW)
    assert list(refused.value.fields) == ["schedule_timezone"]


def test_a_rare_date_is_found_and_nothing_comes_before_or_after_it() -> None:
    table = timetable("0 0 29 2 *", "Europe/Berlin")
    leap = int(datetime(2028, 2, 29, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
    assert table.after(int(NOW.timestamp())) == leap
    assert table.latest(leap) == leap
    assert table.latest(leap - 1) == int(datetime(2024, 2, 29, tzinfo=ZoneInfo("Europe/Berlin")).timestamp())
