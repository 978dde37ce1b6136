"""Which lines of running calls were told already, so that the end of a call tells those that are missing."""

from collections import OrderedDict
from typing import Any

_CALLS = 10_000  # known at once; the longest known goes
_GAPS = 100  # of one call; then all behind them is taken for missing, and may be told twice
_RANKS = {"debug": 0, "log": 1, "info": 1, "warn": 2, "warning": 2, "error": 3}
_ALL = float("inf")


class _Call:
    def __init__(self, attempt: int) -> None:
        self.attempt = attempt
        self.last = 0
        self.missing: list[tuple[float, float]] = []

    def is_missing(self, number: int) -> bool:
        return number > self.last or any(first <= number <= last for first, last in self.missing)


class ToldLines:
    """Of each call, how far its lines were told one by one, and which were not."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, _Call] = OrderedDict()

    def line(self, line: dict[str, Any]) -> bool:
        """Whether a line is to be told now: not one that was, which a server may send again after a break."""
        call = self._call(line["task_id"], line.get("attempt", 1))
        if line["n"] <= call.last:
            return False
        call.last = line["n"]
        return True

    def gap(self, gap: dict[str, Any]) -> None:
        """These lines will not come one by one."""
        if not gap.get("task_id") or "from" not in gap:
            return
        call = self._call(gap["task_id"], gap.get("attempt", 1))
        first, last = max(gap["from"], call.last + 1), gap["to"] if gap["to"] is not None else _ALL
        if first <= last and len(call.missing) < _GAPS:
            call.missing.append((first, last))
        if last != _ALL:
            call.last = max(call.last, int(last))

    def ended(self, entry: dict[str, Any]) -> list[dict[str, Any]]:
        """The lines of a call that has ended which were not told yet."""
        call = self._calls.pop(entry["task_id"], None)
        lines: list[dict[str, Any]] = entry["consoleLogs"]
        if call is None:
            return lines
        return [line for line in lines if "n" not in line or call.is_missing(line["n"])]

    def _call(self, task_id: str, attempt: int) -> _Call:
        call = self._calls.get(task_id)
        if call is None or call.attempt != attempt:
            call = self._calls[task_id] = _Call(attempt)
            if len(self._calls) > _CALLS:
                self._calls.popitem(last=False)
        return call


def is_worth(line: dict[str, Any], level: str) -> bool:
    """Whether a line has at least this level; what was printed is worth `info`, and `all` are all."""
    return level == "all" or _RANKS.get(line["level"], 1) >= _RANKS[level]
