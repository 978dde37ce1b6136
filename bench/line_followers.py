"""Lines of calls offered as executors do, by the executor's own code, and read by many followers who check each number.

A process of its own. It prints one JSON line, a `Followed`. The functions are there already; their calls are not run:
two cores cannot run so many functions that print beside a platform and its readers. Ends are reported as executors do.
"""

import argparse
import asyncio
import socket
import time
from collections import Counter
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import msgspec
import uvloop

from bench.procfs import rss_bytes
from services.executor.config import Executor
from services.executor.live import Passing
from shared.bus import broker, subjects
from shared.bus.messages import Finished
from shared.domain.invocation import Timeline
from shared.domain.line import Line
from shared.domain.outcome import Outcome
from shared.submit import new_task_id

TENANT = "default"
TEXT = "a line of a function, as long as such lines are: 60 bytes…"
LINE, GAP, LOG = b'event: line\ndata: {"n":', b"event: gap\ndata: ", b"event: log\n"
TASK = b'"task_id":"'
TASK_CHARS = 36
EVERY_S = 0.02
LAST_S = 60.0
PAUSE_S = 0.2


class Followed(msgspec.Struct, kw_only=True):
    """What all followers saw. `unnamed` lines are neither told nor named, `wrong` ones came twice or out of order."""

    offered: int = 0
    offered_s: float = 0.0
    told: int = 0
    slow_told: int = 0
    named: dict[str, int] = {}
    unnamed: int = 0
    wrong: int = 0
    ends: int = 0
    missing_ends: int = 0
    rss_before_mb: float = 0.0
    rss_most_mb: float = 0.0


class Follower:
    """One client. `until` is set when it may read as fast as it can."""

    def __init__(self, seen: Followed, slug: str, totals: dict[bytes, int], *, slow: bool) -> None:
        self.seen = seen
        self.slug = slug
        self.totals = totals
        self.slow = slow
        self.begun = asyncio.Event()
        self.next: dict[bytes, int] = {}
        self.ended = 0

    async def read(self, url: str, token: str, *, hurry: asyncio.Event) -> None:
        """Follow until cancelled."""
        at = urlsplit(url)
        link = socket.socket()
        if self.slow:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 10)
        link.setblocking(False)
        await asyncio.get_running_loop().sock_connect(link, (at.hostname, at.port))
        reader, writer = await asyncio.open_connection(sock=link, limit=64 << 10)
        path = f"/v1/bench/functions/{self.slug}/logs/stream?lines=true"
        writer.write(f"GET {path} HTTP/1.0\r\nhost: {at.netloc}\r\nauthorization: Bearer {token}\r\n\r\n".encode())
        head = await reader.readuntil(b": following\n\n")
        if b" 200 " not in head[:20]:
            raise RuntimeError(head[:300].decode(errors="replace"))
        self.begun.set()
        rest = b""
        while data := await reader.read(4096 if self.slow and not hurry.is_set() else 1 << 20):
            *events, rest = (rest + data).split(b"\n\n")
            for event in events:
                self._saw(event)
            if self.slow and not hurry.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(hurry.wait(), PAUSE_S)

    def _saw(self, event: bytes) -> None:
        if event.startswith(b"\r\n"):  # a chunk of HTTP begins; each has whole events
            event = event[event.index(b"\r\n", 2) + 2 :]
        if event.startswith(LINE):
            number = int(event[len(LINE) : event.index(b",", len(LINE))])
            begin = event.index(TASK) + len(TASK)
            self._told(event[begin : begin + TASK_CHARS], number)
        elif event.startswith(GAP):
            self._gap(msgspec.json.decode(event[len(GAP) :]))
        elif LOG in event:
            begin = event.index(TASK) + len(TASK)
            task = event[begin : begin + TASK_CHARS]
            self.seen.unnamed += max(0, self.totals[task] + 1 - self.next.pop(task, 1))
            self.ended += 1

    def _told(self, task: bytes, number: int) -> None:
        expected = self.next.get(task, 1)
        self.seen.told += 1
        self.seen.slow_told += self.slow
        if number < expected:
            self.seen.wrong += 1
        self.seen.unnamed += max(0, number - expected)
        self.next[task] = number + 1

    def _gap(self, gap: dict[str, Any]) -> None:
        task = (gap["task_id"] or "").encode()
        last = gap["to"] or self.totals.get(task, 0)
        expected = self.next.get(task, 1)
        if gap["from"] is None or gap["from"] > expected:
            self.seen.unnamed += 1
            return
        self.seen.named[gap["why"]] = self.seen.named.get(gap["why"], 0) + max(0, last + 1 - expected)
        self.next[task] = max(expected, last + 1)


async def offer(passing: Passing, bus: broker.Bus, function: tuple[str, int], job: "Job") -> None:
    """Calls of one function, one after the other, a second each."""
    slug, function_id = function
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while loop.time() - begun < job.seconds:
        task, started = new_task_id(), time.time()
        job.totals[task.encode()] = job.rate
        live = passing.live(TENANT, function_id, task_id=task, attempt=1, started=started, pool="python")
        said, at = 0, loop.time()
        while said < job.rate:
            upto = min(job.rate, int((loop.time() - at) * job.rate))
            stamp = int(time.time() * 1000)
            if upto > said:
                live.say([Line(number, "log", stamp, TEXT) for number in range(said + 1, upto + 1)])
                said = upto
            await asyncio.sleep(EVERY_S)
        live.end(said, whole=True)
        job.seen.offered += said
        job.calls[slug] += 1
        await bus.store(subjects.event(TENANT, slug, "finished"), end(task, function, said, started), id=f"{task}.f")


def end(task: str, function: tuple[str, int], said: int, started: float) -> Finished:
    """As an executor reports it."""
    done = time.time()
    slug, function_id = function
    return Finished(
        id=1 << 40, task_id=task, tenant=TENANT, function=slug, function_id=function_id, function_name=slug,
        trigger_type="api", version="1", user=None, executor="bench", delivery=1,
        timeline=Timeline(accepted=started, routed=started, picked=started, started=started, done=done),
        outcome=Outcome(status="SUCCESS", said=said),
    )  # fmt: skip


class Job:
    """What is done, and what was seen: `rate` lines a second of each function."""

    def __init__(self, *, rate: int, seconds: float) -> None:
        self.rate = rate
        self.seconds = seconds
        self.seen = Followed()
        self.totals: dict[bytes, int] = {}
        self.calls: Counter[str] = Counter()


async def watch(seen: Followed, pid: int) -> None:
    """The most memory that the API has."""
    seen.rss_before_mb = rss_bytes(pid) / 2**20
    while True:
        seen.rss_most_mb = max(seen.rss_most_mb, rss_bytes(pid) / 2**20)
        await asyncio.sleep(0.2)


async def run(asked: argparse.Namespace) -> Followed:
    """All of it."""
    functions = [(slug, int(number)) for slug, _, number in (one.partition("=") for one in asked.function)]
    job, hurry = Job(rate=asked.rate // len(functions), seconds=asked.seconds), asyncio.Event()
    settings = Executor(told_call_lines=1_000_000, told_lines=asked.rate * 2, told_bytes=1 << 30)
    async with broker.connect(asked.nats, name="bench", timeout_s=10) as bus:
        passing = Passing(bus, "bench", settings)
        await passing.open()
        followers = [
            Follower(job.seen, functions[place % len(functions)][0], job.totals, slow=place < asked.slow)
            for place in range(asked.followers)
        ]
        reading = [asyncio.create_task(one.read(asked.url, asked.token, hurry=hurry)) for one in followers]
        watching = asyncio.create_task(watch(job.seen, asked.pid))
        async with asyncio.timeout(LAST_S):
            await asyncio.gather(*(one.begun.wait() for one in followers))
        began = time.monotonic()
        await asyncio.gather(*(offer(passing, bus, one, job) for one in functions))
        job.seen.offered_s = time.monotonic() - began
        hurry.set()
        wanted = sum(job.calls[one.slug] for one in followers)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_S):
                while sum(one.ended for one in followers) < wanted and not any(task.done() for task in reading):  # noqa: ASYNC110 - many events
                    await asyncio.sleep(0.1)
        job.seen.ends = sum(one.ended for one in followers)
        job.seen.missing_ends = wanted - job.seen.ends
        for task in (*reading, watching):
            task.cancel()
        faults = await asyncio.gather(*reading, return_exceptions=True)
        passing.close()
    for fault in faults:
        if isinstance(fault, Exception):
            raise fault
    return job.seen


def main() -> None:
    """Print what was seen."""
    parser = argparse.ArgumentParser()
    for name in ("url", "token", "nats"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--function", action="append", required=True, help="slug=id")
    for name, default in (("followers", 50), ("slow", 2), ("rate", 50_000), ("pid", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seconds", type=float, default=10.0)
    print(msgspec.json.encode(uvloop.run(run(parser.parse_args()))).decode())


if __name__ == "__main__":
    main()
