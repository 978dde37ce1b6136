"""Cron expressions: what one may say, and when it comes due. The only import of croniter.

croniter is asked about wall time alone, as if every day had 24 hours; what the clocks of a zone make of a wall time is
decided here. The rule is Debian's cron's: an expression whose minute and hour are both fixed names wall times. One that
is skipped in spring comes due at the moment of the jump, one that exists twice in autumn comes due the first time only.
An expression whose minute or hour begins with `*` follows the clock as it runs: a skipped time does not come due, one
that exists twice does so twice.

All moments are whole Unix seconds.
"""

import functools
import re
import zoneinfo
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from croniter import CroniterBadDateError, croniter

from shared.domain.problem import wrong

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = {word: 1 + at for at, word in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split())}  # noqa: SIM905 - a list of words
_DAYS = {word: at for at, word in enumerate("sun mon tue wed thu fri sat".split())}  # noqa: SIM905 - a list of words


class _Field(NamedTuple):
    name: str
    low: int
    high: int
    names: dict[str, int]


_FIELDS = [
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of the month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of the week", 0, 7, _DAYS),
]
_TERM = re.compile(r"(\*|\w+(?:-\w+)?)(?:/(\d{1,3}))?", re.ASCII)
_NO_ZONES = frozenset({"localtime", "Factory"})
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall time has no zone
_MOST_FOLD_S = 3 * 3600  # no clock is set back by more
_KEPT = 2000  # expressions, each some kilobytes


class Timetable:
    """When an expression comes due in a zone. Made by `timetable`."""

    def __init__(self, expression: str, zone: str) -> None:
        minute, hour = expression.split(" ")[:2]
        self._wall = croniter(expression, 0.0)
        self._zone = zoneinfo.ZoneInfo(zone)
        self._utc = zone == "UTC"
        self._known: tuple[int, int | None] = (-1, None)  # many functions share an expression, and come due together
        self._fixed = not minute.startswith("*") and not hour.startswith("*")

    def after(self, moment: int) -> int | None:
        """The first due moment after this one; None when the next fifty years have none."""
        if self._known[0] != moment:
            self._known = (moment, self._after(moment))
        return self._known[1]

    def _after(self, moment: int) -> int | None:
        if self._utc:
            return self._step(self._wall.get_next, moment)
        wall, fold = self._seen(moment)
        start = wall - _MOST_FOLD_S if fold == 0 and self._offset(wall, 1) < self._offset(wall, 0) else wall
        best: int | None = None
        for one in self._walk(self._wall.get_next, start):
            due = [moment_ for moment_ in self._moments(one) if moment_ > moment]
            best = min(due, default=best) if best is None else min([best, *due])
            if best is not None and self._first(one) > moment:
                return best
        return best

    def latest(self, moment: int) -> int | None:
        """The last due moment up to this one, itself included; None when fifty years have none."""
        if self._utc:
            return self._step(self._wall.get_prev, moment + 1)
        wall, fold = self._seen(moment)
        best: int | None = None
        for one in self._walk(self._wall.get_prev, wall + 1 + (_MOST_FOLD_S if fold else 0)):
            due = [moment_ for moment_ in self._moments(one) if moment_ <= moment]
            best = max(due, default=best) if best is None else max([best, *due])
            if due and due == self._moments(one):
                return best
        return best

    def upcoming(self, moment: int, *, count: int) -> list[int]:
        """At most so many due moments after this one."""
        found: list[int] = []
        while len(found) < count and (due := self.after(found[-1] if found else moment)) is not None:
            found.append(due)
        return found

    def _walk(self, step: Callable[..., float], start: int) -> Iterator[int]:
        wall = self._step(step, start)
        while wall is not None:
            yield wall
            wall = self._step(step, wall)

    @staticmethod
    def _step(step: Callable[..., float], start: int) -> int | None:
        try:
            return int(step(float, start_time=float(start)))
        except CroniterBadDateError:
            return None

    def _moments(self, wall: int) -> list[int]:
        """The moments at which a wall time comes due, ascending."""
        first, second = self._offset(wall, 0), self._offset(wall, 1)
        if first == second:
            return [wall - first]
        if first < second:  # the clock jumps over it
            return [self._jump(wall - second, wall - first)] if self._fixed else []
        return [wall - first] if self._fixed else [wall - first, wall - second]

    def _first(self, wall: int) -> int:
        """A moment before which nothing later on the wall comes due."""
        return wall - max(self._offset(wall, 0), self._offset(wall, 1))

    def _jump(self, before: int, after: int) -> int:
        """The moment between the two at which the clock is set."""
        new = self._at(after).utcoffset()
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (before, middle) if self._at(middle).utcoffset() == new else (middle, after)
        return after

    def _seen(self, moment: int) -> tuple[int, int]:
        """What the clock on the wall shows, as seconds, and whether it shows it for the second time."""
        shown = self._at(moment)
        return moment + _seconds(shown.utcoffset()), shown.fold

    def _offset(self, wall: int, fold: int) -> int:
        shown = (_EPOCH + timedelta(seconds=wall)).replace(tzinfo=self._zone, fold=fold)
        return _seconds(shown.utcoffset())

    def _at(self, moment: int) -> datetime:
        return datetime.fromtimestamp(moment, self._zone)


def timetable(expression: str, zone: str) -> Timetable:
    """The timetable of an expression, each kept for its next use. Raises Problem(invalid)."""
    return _made(_normal(expression), _known_zone(zone))


def check_schedule(*, enabled: bool, expression: str, zone: str, now: datetime) -> None:
    """Refuse a schedule that cannot be kept, naming the field. Raises Problem(invalid)."""
    _known_zone(zone)
    if not expression:
        if enabled:
            raise wrong("cron_expression", "cron_expression is required when schedule_enabled is true")
        return
    if timetable(expression, zone).after(int(now.timestamp())) is None:
        raise wrong("cron_expression", f"cron_expression '{expression}' never comes due: no month has such a day")


@functools.lru_cache(maxsize=_KEPT)
def _made(expression: str, zone: str) -> Timetable:
    return Timetable(expression, zone)


@functools.cache
def _zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones() | {"UTC"}) - _NO_ZONES


def _known_zone(zone: str) -> str:
    if zone not in _zones():
        message = f"schedule_timezone '{zone}' is not known; it must be an IANA name such as UTC or Europe/Berlin"
        raise wrong("schedule_timezone", message)
    return zone


@functools.lru_cache(maxsize=_KEPT)
def _normal(expression: str) -> str:
    """Five fields of numbers, as croniter takes them without surprises. Raises Problem(invalid)."""
    given = expression.strip().lower()
    if given.startswith("@"):
        if given not in _ALIASES:
            raise wrong("cron_expression", f"cron_expression knows {', '.join(_ALIASES)}, not '{expression}'")
        return _ALIASES[given]
    fields = given.split()
    if len(fields) != len(_FIELDS):
        message = (
            f"cron_expression must have five fields (minute, hour, day of the month, month, day of the week), "
            f"not {len(fields)}"
        )
        raise wrong("cron_expression", message)
    return " ".join(_field(text, rule) for text, rule in zip(fields, _FIELDS, strict=True))


def _field(text: str, field: _Field) -> str:
    name, low, high, names = field
    terms: list[str] = []
    named: set[int] = set()
    for term in text.split(","):
        found = _TERM.fullmatch(term)
        if found is None:
            raise wrong("cron_expression", f"cron_expression: '{term}' in the field {name} is not understood")
        body, step = found.groups()
        first, last = (low, high) if body == "*" else _range(body, field)
        if step is not None and (body != "*" and "-" not in body):
            message = f"cron_expression: '{term}' in the field {name} has a step without a range; write {body}-{high}/…"
            raise wrong("cron_expression", message)
        if step is not None and not 1 <= int(step) <= last - first:
            message = (
                f"cron_expression: the step in '{term}' in the field {name} must be from 1 to {max(last - first, 1)}: "
                "a larger one starts anew with each round of the field"
            )
            raise wrong("cron_expression", message)
        named |= {one % 7 if names is _DAYS else one for one in range(first, last + 1, int(step or 1))}
        shown = "*" if body == "*" else str(first) if first == last else f"{first}-{last}"
        terms.append(f"{shown}/{step}" if step is not None else shown)
    # A field that leaves nothing out narrows nothing, in whatever words it says so: croniter sees that only sometimes.
    everything = 7 if names is _DAYS else high - low + 1
    return "*" if len(named) == everything else ",".join(terms)


def _range(body: str, field: _Field) -> tuple[int, int]:
    name, low, high, names = field
    ends = []
    for word in body.split("-"):
        number = int(word) if word.isdigit() else names.get(word, -1)
        if not low <= number <= high:
            known = f"{low} to {high}" + (f" or {', '.join(names)}" if names else "")
            raise wrong("cron_expression", f"cron_expression: '{word}' is no {name}: it must be {known}")
        ends.append(number)
    first, last = ends[0], ends[-1]
    if names is _DAYS and last == 0 and first > last:
        last = 7  # fri-sun
    if first > last:
        raise wrong("cron_expression", f"cron_expression: '{body}' in the field {name} runs backwards")
    return first, last


def _seconds(offset: timedelta | None) -> int:
    return int(offset.total_seconds()) if offset is not None else 0
