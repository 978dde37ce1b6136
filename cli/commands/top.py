"""`shoal top`: what is called now, how fast and how well, again and again."""

import json
import signal
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from cyclopts import Parameter

from cli.commands.ps import facts
from cli.exits import DONE, REFUSED, TERMINATED, UNAVAILABLE, Fault, plain
from cli.keyboard import Keyboard
from cli.rates import Rates, Row, Sort, ordered
from cli.remote import HERE, Remote, Target, run

if TYPE_CHECKING:
    from rich.console import Group

_KEYS: dict[str, Sort] = {"r": "rate", "l": "latency", "e": "errors", "c": "calls", "n": "name"}
_HEAD = 5  # lines that are no function: the title, the queues, the table's head, an empty one and the keys
_LEAST_S = 0.2
_PIPED_TIMES = 2  # a rate is between two looks
_COLUMNS = ("calls/s", "errors/s", "p50 ms", "p95 ms", "errors", "calls")


class Look(NamedTuple):
    """What there was to see: functions, and the queues; or why there was nothing."""

    rows: list[Row]
    queues: dict[str, Any]
    trouble: str = ""


def top(
    *,
    sort: Annotated[Sort, Parameter(help="what the list is sorted by, until a key says otherwise")] = "rate",
    every: Annotated[float, Parameter(help="seconds between two looks, 0.2 at least")] = 2.0,
    times: Annotated[int, Parameter(help="looks, then it ends; 0: until q or Ctrl-C, or two where nobody looks")] = 0,
    all_: Annotated[bool, Parameter(name="--all", negative="", help="the functions of all apps")] = False,
    target: Target = HERE,
) -> int:
    """Show what is called now: rates, latencies, errors, and the queues. A key sorts, q ends it.

    Rates are those of the last ten seconds. With --json each look is a line.

    Example: shoal top --sort latency
    """

    def work(remote: Remote) -> int:
        if every < _LEAST_S or times < 0:
            raise Fault(REFUSED, f"--every must be {_LEAST_S} at least, and --times not below 0")
        looking = _Looking(remote, all_apps=all_)
        if target.json or not sys.stdout.isatty():
            return _lines(looking, sort, every=every, times=times, as_json=target.json)
        return _screen(looking, sort, every=every, times=times)

    return run(target, work)


class _Looking:
    """Looks at a server, again and again."""

    def __init__(self, remote: Remote, *, all_apps: bool) -> None:
        self.remote = remote
        self._apps = [str(one["slug"]) for one in remote.pages("/api/apps/")] if all_apps else [remote.app]
        self._rates = Rates()

    @property
    def title(self) -> str:
        """Where one looks."""
        return f"{self.remote.context.url}  app {', '.join(self._apps)}"

    def look(self) -> Look:
        """What there is now. Raises Fault."""
        found = []
        for app in self._apps:
            self.remote.app = app
            found += [{"app": app, **facts(one)} for one in self.remote.functions()]
        return Look(self._rates.look(time.monotonic(), found), self.remote.get("/api/queues/"))


def _lines(looking: _Looking, sort: Sort, *, every: float, times: int, as_json: bool) -> int:
    """For programs a line each; for who reads a file the last look alone."""
    from rich.console import Console

    times = times or (0 if as_json else _PIPED_TIMES)
    count = 0
    while True:
        look = looking.look()
        rows, count = ordered(look.rows, sort), count + 1
        if as_json:
            print(json.dumps({"queues": look.queues, "functions": [row._asdict() for row in rows]}), flush=True)
        elif count == times:
            Console(markup=False, highlight=False, width=120).print(_page(looking.title, look, sort, most=len(rows)))
        if count == times:
            return DONE
        time.sleep(every)


def _screen(looking: _Looking, sort: Sort, *, every: float, times: int) -> int:
    """A screen of its own, until q. What is away for a while is said, and looked for again."""
    from rich.console import Console
    from rich.live import Live

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # not without giving the terminal back
    console = Console(markup=False, highlight=False)
    look, count = looking.look(), 1  # what will not be otherwise later is said before the screen is taken
    with Keyboard() as keyboard, Live(console=console, screen=True, auto_refresh=False) as live:
        due = time.monotonic() + every
        while True:
            most = max(1, console.size.height - _HEAD)
            live.update(_page(looking.title, look, sort, most=most), refresh=True)
            if times and count >= times:
                return DONE
            key = keyboard.pressed(within_s=max(0.0, due - time.monotonic()))
            if key == "q":
                return DONE
            sort = _KEYS.get(key, sort)
            if time.monotonic() >= due:
                look, count, due = _again(looking, look), count + 1, time.monotonic() + every


def _again(looking: _Looking, before: Look) -> Look:
    try:
        return looking.look()
    except Fault as fault:
        if fault.code != UNAVAILABLE:
            raise
        return before._replace(trouble=str(fault))


def _page(title: str, look: Look, sort: Sort, *, most: int) -> "Group":
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    table.add_column("function", no_wrap=True, overflow="ellipsis", ratio=1, min_width=12)
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for row in ordered(look.rows, sort)[:most]:
        table.add_row(plain(row.name), *_cells(row), style="red" if row.failing else "")
    keys = "  ".join(f"{key} {name}" for key, name in _KEYS.items())
    foot = Text(f"{keys}  q quit   by {sort}", style="dim", no_wrap=True, overflow="ellipsis")
    state = Text(plain(look.trouble), style="red", no_wrap=True) if look.trouble else Text(_queues(look), no_wrap=True)
    return Group(Text(title, style="bold", no_wrap=True, overflow="ellipsis"), state, table, Text(""), foot)


def _cells(row: Row) -> tuple[str, ...]:
    durations = (f"{row.p50_ms:,.1f}", f"{row.p95_ms:,.1f}")
    return f"{row.rate:,.1f}", f"{row.failing:,.1f}", *durations, f"{row.errors:.3g}%", f"{row.calls:,}"


def _queues(look: Look) -> str:
    """How much waits and runs: of one's own tenant, or of the platform."""
    pools = look.queues["pools"]
    queued, in_hand = (sum(pool[what] for pool in pools) for what in ("queued", "in_hand"))
    whose = f"tenant {look.queues['tenant']}" if look.queues["tenant"] else "platform"
    rate = sum(row.rate for row in look.rows)
    by_pool = "".join(f"  {pool['pool']} {pool['queued']}+{pool['in_hand']}" for pool in pools)
    return f"{rate:,.1f} calls/s  {whose}: queued {queued:,}  in hand {in_hand:,}{by_pool}"
