"""Lines of calls while they run: server-sent events, with numbers and named gaps."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast

import httpx

from services.api.core.lines import Hub, Lines
from services.api.core.runs import Gap, Item, Written
from shared.bus import lines as wire
from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.lines import Batch, Said
from shared.domain.function import Function
from shared.domain.line import Line, Missed
from shared.domain.outcome import Outcome
from shared.store.client import Store
from tests.api.apps.ends import end, report
from tests.api.apps.sse import Events, following
from tests.api.apps.test_logs_live import function_of, path_of
from tests.conftest import Deploy

LINES = {"lines": "true"}


class Told:
    """What a follower was told of one call, until its end."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.gaps: list[dict[str, Any]] = []
        self.end: dict[str, Any] = {}

    async def until_end(self, events: Events) -> "Told":
        while not self.end:
            event = await events.next()
            if event.kind == "log":
                self.end = event.data
            else:
                {"line": self.lines, "gap": self.gaps}[event.kind].append(event.data)
        return self

    @property
    def numbers(self) -> list[int]:
        """Each number that was told or named."""
        named = [n for gap in self.gaps for n in range(gap["from"], gap["to"] + 1)]
        return sorted([line["n"] for line in self.lines] + named)


def said(lines: list[Line], *, missed: list[Missed] | None = None, run: str = "x.1", **fields: Any) -> Said:
    return Said(**{"task_id": "t", "run": run, "attempt": 1, "start": 1, **fields}, lines=lines, missed=missed or [])


def line(n: int, level: Any = "log") -> Line:
    return Line(n, level, int(time.time() * 1000), f"line {n}")


async def test_lines_come_before_the_end_of_their_call(client: httpx.AsyncClient, deploy: Deploy) -> None:
    source = "import time\ndef main(p, c):\n print('first')\n log('second', 'warning')\n while True: pass"
    slug = await deploy(source, config={"timeout": 3})
    async with following(client, path_of(slug), params=LINES) as events:
        made = asyncio.ensure_future(client.post(f"/api/functions/{slug}/execute/", json={"params": {}}))
        first, second = await events.next(), await events.next()
        assert not made.done()
        told = await Told().until_end(events)
    assert [first.data["message"], second.data["message"]] == ["first", "second"]
    assert [first.data["n"], second.data["n"]] == [1, 2]
    assert [first.data["level"], second.data["level"]] == ["log", "warning"]
    assert {first.data["task_id"], second.data["task_id"], told.end["task_id"]} == {(await made).json()["task_id"]}
    assert [(gap["from"], gap["to"], gap["why"]) for gap in told.gaps] == [(3, None, "died")]  # killed: who knows
    assert [one.get("n") for one in told.end["consoleLogs"]] == [1, 2, None]


async def test_a_call_that_was_killed_has_its_lines_in_the_log(client: httpx.AsyncClient, deploy: Deploy) -> None:
    """Nobody follows it; what may be missing is named, and who comes later is told the same."""
    source = "import time\ndef main(p, c):\n print('first')\n log('second', 'warning')\n time.sleep(60)"
    slug = await deploy(source, config={"timeout": 1})
    await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
    (listed,) = (await client.get(path_of(slug).removesuffix("/stream"))).json()["logs"]
    assert (listed["status_code"], listed["error"]) == (504, "execution exceeded the limit of 1 s")
    *lines, gap = listed["consoleLogs"]
    assert [(one["n"], one["level"], one["message"]) for one in lines] == [(1, "log", "first"), (2, "warn", "second")]
    assert gap["message"] == "Lines from number 3 on may be missing: the call was cut before it could tell them."
    assert (gap["level"], gap.get("n")) == ("error", None)
    async with following(client, path_of(slug), params={**LINES, "since": "2020-01-01"}) as events:
        told = await Told().until_end(events)
    assert told.end == listed


async def test_every_number_is_told_and_the_end_has_the_same_ones(client: httpx.AsyncClient, deploy: Deploy) -> None:
    slug = await deploy("def main(p, c):\n for i in range(300):\n  print('p', i)\n  log(f'l {i}')")
    async with following(client, path_of(slug), params=LINES) as events:
        for _ in range(3):
            await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
            told = await Told().until_end(events)
            assert told.gaps == []
            assert told.numbers == list(range(1, 601))
            kept = {one["n"]: one["message"] for one in told.end["consoleLogs"]}
            assert kept == {one["n"]: one["message"] for one in told.lines}
    (listed, *_) = (await client.get(path_of(slug).removesuffix("/stream"))).json()["logs"]
    assert listed == told.end


async def test_what_is_too_much_is_named(client: httpx.AsyncClient, deploy: Deploy) -> None:
    slug = await deploy("def main(p, c):\n for i in range(30_000): print(i)")
    async with following(client, path_of(slug), params=LINES) as events:
        await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
        told = await Told().until_end(events)
    assert {gap["why"] for gap in told.gaps} == {"rate"}
    assert told.numbers == list(range(1, 30_001))
    assert all(one["message"] == str(one["n"] - 1) for one in told.lines)
    assert len(told.end["consoleLogs"]) < 30_000
    assert [warning.partition(":")[0] for warning in told.end["warnings"]] == ["OutputTruncated"]
    (listed, *_) = (await client.get(path_of(slug).removesuffix("/stream"))).json()["logs"]
    assert listed == told.end


async def test_a_level_is_the_least(client: httpx.AsyncClient, deploy: Deploy) -> None:
    source = (
        "def main(p, c):\n print('printed')\n for level in ('debug', 'info', 'warning', 'error'): log(level, level)"
    )
    slug = await deploy(source)
    for level, wanted in (
        ("warning", ["warning", "error"]),
        ("info", ["printed", "info", "warning", "error"]),
        ("debug", ["printed", "debug", "info", "warning", "error"]),
    ):
        async with following(client, path_of(slug), params={**LINES, "level": level}) as events:
            await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
            told = await Told().until_end(events)
        assert [one["message"] for one in told.lines] == wanted
        assert told.gaps == []


async def test_since_a_moment_has_what_ended_later(client: httpx.AsyncClient, deploy: Deploy) -> None:
    """Of calls that have ended, the lines are in their end; lines older than the moment are not told."""
    slug = await deploy("def main(p, c):\n print('hi')")
    await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
    made = await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
    (_, first) = (await client.get(path_of(slug).removesuffix("/stream"))).json()["logs"]
    async with following(client, path_of(slug), params={**LINES, "since": first["timestamp"]}) as events:
        told = await Told().until_end(events)
    assert (told.lines, told.end["task_id"]) == ([], made.json()["task_id"])
    assert [(one["n"], one["message"]) for one in told.end["consoleLogs"]] == [(1, "hi")]
    async with following(client, path_of(slug), params={**LINES, "since": "2100-01-01"}) as events:
        await client.post(f"/api/functions/{slug}/execute/", json={"params": {}})
        assert (await events.next(comments=True)).data == "keep-alive"


async def test_a_batch_that_is_lost_is_named(client: httpx.AsyncClient, deploy: Deploy, bus: Bus, store: Store) -> None:
    """By the numbers of what comes next, or by the end of the call."""
    function = await function_of(store, await deploy())
    async with following(client, path_of(function.slug), params=LINES) as events:
        event = end(function, Outcome(status="SUCCESS", said=9), id=940_001)
        of = {"task_id": event.task_id, "run": wire.run_of(event.executor, event.timeline.started)}
        subject = subjects.lines("default", function.id)
        await bus.send(subject, Batch([said([line(1), line(2)], **of)]))
        await bus.send(subject, Batch([said([line(6)], missed=[Missed(5, 5, "rate")], **of)]))
        await report(bus, event)
        told = await Told().until_end(events)
    assert [one["n"] for one in told.lines] == [1, 2, 6]
    named = [(gap["from"], gap["to"], gap["why"]) for gap in told.gaps]
    assert named == [(3, 4, "lost"), (5, 5, "rate"), (7, 9, "lost")]


async def test_a_call_of_which_nothing_came_is_named(
    client: httpx.AsyncClient, deploy: Deploy, bus: Bus, store: Store
) -> None:
    function = await function_of(store, await deploy())
    async with following(client, path_of(function.slug), params=LINES) as events:
        event = end(function, Outcome(status="SUCCESS", said=4), id=940_002, took_s=0.0)
        await report(bus, event)
        told = await Told().until_end(events)
    assert [(gap["task_id"], gap["from"], gap["to"], gap["why"]) for gap in told.gaps] == [
        (event.task_id, 1, 4, "lost")
    ]


async def test_another_run_of_the_same_call_is_told_apart(
    client: httpx.AsyncClient, deploy: Deploy, bus: Bus, store: Store
) -> None:
    """Its executor died; the next one numbers from 1 again."""
    function = await function_of(store, await deploy())
    subject = subjects.lines("default", function.id)
    async with following(client, path_of(function.slug), params=LINES) as events:
        await bus.send(subject, Batch([said([line(1), line(2)], run="dead.1")]))
        await bus.send(subject, Batch([said([line(1)], run="alive.1", total=1)]))
        told = [await events.next() for _ in range(4)]
    assert [(one.kind, one.data.get("n"), one.data.get("from")) for one in told] == [
        ("line", 1, None),
        ("line", 2, None),
        ("gap", None, 3),
        ("line", 1, None),
    ]


def test_who_comes_later_is_told_what_was_before() -> None:
    hub = Hub()
    hub.runs.take(said([line(1), line(2)]))
    hub.runs.take(said([line(1)], task_id="over", total=1))
    assert [(gap.task_id, gap.first, gap.last, gap.why) for gap in hub.runs.running()] == [("t", 1, 2, "before")]


async def test_what_a_slow_reader_does_not_take_is_named_and_no_more_is_kept(bus: Bus) -> None:
    lines, function = Lines(bus, most_bytes=2000), cast("Function", SimpleNamespace(tenant="slow", id=1))
    heard, again = await lines.follow(function), await lines.follow(function)
    for first in range(1, 100, 2):
        batch = Batch([said([line(first), line(first + 1)]), said([line(first)], task_id=f"t-{first}", total=first)])
        await bus.send(subjects.lines("slow", 1), batch)
    async with asyncio.timeout(15):
        while [gap.last for gap in heard.runs.running()] != [100]:
            heard.news.clear()
            await heard.news.wait()
    told: list[Item] = []
    while (chunk := heard.take()) is not None:
        told += chunk.items
    of_one = [one for one in told if one.task_id == "t"]
    named = [n for one in of_one if isinstance(one, Gap) for n in range(one.first or 0, (one.last or 0) + 1)]
    written = [one.line.n for one in of_one if isinstance(one, Written)]
    assert sorted(named + written) == list(range(1, 101))
    assert {one.why for one in of_one if isinstance(one, Gap)} == {"slow"}
    assert len(again._came) < 20  # nobody has taken a thing of it, and it has not grown
    await heard.close()
    await again.close()
