"""Lists of functions and invocations with more and more on record, over the real API.

The records are written straight into MongoDB, in the form the recorder gives them, over several tenants and functions.
"""

import asyncio
import random
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection

from bench.contenders.shoal import COLLECTION, DATABASE, create
from bench.context import Context
from bench.table import Check, Row, Table
from shared.domain.caller import SCOPES
from shared.store import tenants, tokens, users
from shared.store.client import Store

TITLE = "Lists"
ORDER = 95  # after the memory: a million records are not what a fresh Shoal has
SIZES = (10_000, 100_000, 1_000_000)
LOOKS = 31
REST_S = 10.0
TARGET_MS = 20.0
GROWTH = 3.0  # from the smallest size to the largest, a hundred times as much
FUNCTIONS = 5
USERS = 40
# Three fifths are the caller's. Its tenant has nothing else: what the other sections have left is not of these days.
TENANT = "listed"
TENANTS = (TENANT, TENANT, TENANT, "acme", "globex")
FIRST_ID = 1_000_000_000  # above what was really invoked
_BATCH = 5_000
_SURVEY_S = 300.0
_STILL_S = 1.0

_JUST = datetime.now(UTC)
_BORN = _JUST - timedelta(days=1)

Records = AsyncIOMotorCollection[dict[str, Any]]


async def measure(context: Context) -> Table | None:
    """Medians of the answers' times at each size, when the lists have been looked at once before."""
    shoal = context.shoal
    if shoal is None:
        return None
    sizes = [size for size in SIZES if size <= context.options.invocations]
    ready = msgspec.structs.replace(shoal.ready, token=await _token(shoal.ready.mongodb))
    slugs = [await asyncio.to_thread(create, ready, f"Listed {number}") for number in range(FUNCTIONS)]
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(ready.mongodb)
    headers = {"Authorization": f"Bearer {ready.token}"}
    took: dict[str, dict[int, float]] = {}
    notes: list[str] = []
    try:
        async with httpx.AsyncClient(base_url=ready.url, headers=headers, timeout=60.0) as http:
            ids = [(await http.get(f"/api/functions/{slug}/")).json()["id"] for slug in slugs]
            written = 0
            for size in sizes:
                seconds = await _write(client[DATABASE][COLLECTION], range(written, size), slugs, ids)
                written = size
                await asyncio.sleep(REST_S)  # what mongod still writes of it is not the lists' work
                first = await _first_looks(http, slugs[0], client[DATABASE]["milestones"])
                notes.append(f"{size:,} records: written in {seconds:.0f} s; slowest first look {first:.0f} ms")
                for what, path in _looks(size, slugs[0], ids[0]):
                    took.setdefault(what, {})[size] = await _median_ms(http, path)
    finally:
        client.close()
    columns = [f"{size:,} records" for size in sizes]
    rows = [_row(what, by_size, sizes) for what, by_size in took.items()]
    return Table(title=TITLE, columns=columns, rows=rows, notes=[f"medians of {LOOKS} looks", *notes])


async def _token(mongodb: str) -> str:
    """A token of an administrator of the section's own tenant."""
    store = Store(mongodb, database=DATABASE)
    try:
        await tenants.keep(store, TENANT)
        admin = await users.Users(store, TENANT).add(users.Draft(username="lister", role="admin"))
        draft = tokens.Draft(name="bench", user_id=admin.id, role="admin", scopes=SCOPES)
        return (await tokens.Tokens(store, TENANT).add(draft))[1]
    finally:
        store.close()


def _looks(size: int, slug: str, function_id: int) -> list[tuple[str, str]]:
    """What is asked, each with its path. Three fifths of the records are the caller's."""
    everything, executions = "/api/functions/invocations/", f"/api/functions/{slug}/executions/"
    return [
        ("one invocation, for comparison", f"{everything}{FIRST_ID}/"),
        ("functions", "/api/functions/?ordering=-created_at"),
        ("invocations, first page", everything),
        ("invocations, half way", f"{everything}?limit=20&offset={size * 3 // 10}"),
        ("invocations, last page", f"{everything}?limit=20&offset={size * 6 // 10 - 40}"),
        ("invocations of a function", f"{everything}?function_id={function_id}"),
        ("invocations that failed", f"{everything}?status=FAILURE"),
        ("invocations of a function that failed", f"{everything}?function_slug={slug}&status=FAILURE"),
        ("invocations of a user", f"{everything}?user_id=1007"),
        ("executions, first 100", executions),
        ("executions, 100 half way", f"{executions}?offset={size * 3 // 20}"),
    ]


async def _first_looks(http: httpx.AsyncClient, slug: str, milestones: Records) -> float:
    """Look at every list once, and wait until what that has set in motion is over; the slowest look, milliseconds."""
    function_id = (await http.get(f"/api/functions/{slug}/")).json()["id"]
    slowest = 0.0
    for _, path in _looks(0, slug, function_id):
        if "offset" not in path:
            slowest = max(slowest, await _once_ms(http, path))
            await _until_still(milestones)
    return slowest


async def _until_still(milestones: Records) -> None:
    end, found = time.monotonic() + _SURVEY_S, -1
    while (now := await milestones.estimated_document_count()) != found:
        if time.monotonic() > end:
            raise RuntimeError(f"lists are still being surveyed after {_SURVEY_S:g} s")
        found = now
        await asyncio.sleep(_STILL_S)


async def _median_ms(http: httpx.AsyncClient, path: str) -> float:
    return statistics.median([await _once_ms(http, path) for _ in range(LOOKS)])


async def _once_ms(http: httpx.AsyncClient, path: str) -> float:
    begun = time.perf_counter()
    answer = await http.get(path)
    took_ms = (time.perf_counter() - begun) * 1000
    if answer.status_code != httpx.codes.OK:
        raise RuntimeError(f"GET {path} answered {answer.status_code}: {answer.text[:200]}")
    return took_ms


async def _write(records: Records, numbers: range, slugs: list[str], ids: list[int]) -> float:
    """Seconds that it took."""
    begun = time.monotonic()
    rows = _rows(numbers, slugs, ids)
    for _ in range(0, len(numbers), _BATCH):
        await records.insert_many([row for _, row in zip(range(_BATCH), rows, strict=False)], ordered=False)
    return time.monotonic() - begun


def _rows(numbers: range, slugs: list[str], ids: list[int]) -> Iterator[dict[str, Any]]:
    pick = random.Random(numbers.start)
    for number in numbers:
        at = _BORN + (_JUST - _BORN) * (number / SIZES[-1])
        which = 0 if pick.random() < 0.5 else pick.randrange(len(slugs))
        user = pick.randrange(USERS)
        yield {
            "_id": f"00000000-0000-4000-8000-{number:012x}",
            "id": FIRST_ID + number,
            "tenant": TENANTS[number % len(TENANTS)],
            "function_id": ids[which],
            "function_name": f"Listed {which}",
            "function_slug": slugs[which],
            "trigger_type": "schedule" if pick.random() < 0.1 else "api",
            "user_id": 1000 + user,
            "user_username": f"user-{user}",
            "created_at": at,
            "status": "FAILURE" if pick.random() < 0.02 else "SUCCESS",
            "params": '{"amount":1000,"rate":0.15}',
            "result": '{"amount":1000,"tax":150.0,"total":1150.0}',
            "version": "1.0.0",
            "executor": "executor-1",
            "delivery": 1,
            "cpu_s": 0.0003,
            "peak_bytes": 9_000_000,
            "routed_at": at,
            "picked_at": at,
            "started_at": at,
            "done_at": at,
        }


def _row(what: str, by_size: dict[int, float], sizes: list[int]) -> Row:
    least, most = by_size[sizes[0]], by_size[sizes[-1]]
    cells = {f"{size:,} records": f"{took_ms:.1f} ms" for size, took_ms in by_size.items()}
    growth = max(most / least, 0.0)
    # A list that is quick whatever its length may grow by more than its factor: a millisecond is noise here.
    grown = growth <= GROWTH or most < TARGET_MS / 2
    checks = [
        Check(f"{most:.1f} ms", f"< {TARGET_MS:g} ms", most < TARGET_MS),
        Check(f"{growth:.2f} x the smallest", f"≤ {GROWTH:g} x", grown),
    ]
    return Row(what=what, cells=cells, checks=checks)
