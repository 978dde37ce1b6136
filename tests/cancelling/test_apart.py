"""Who may cancel what, what it takes with it, and what comes of it when its executor dies."""

import asyncio
from pathlib import Path

import httpx

from shared.domain.caller import Role, Scope
from shared.store.client import Store
from tests import people
from tests.api.conftest import sentence
from tests.cancelling.asking import CALLS, LOOPS, MOMENT_S, SPINS, Asking


async def test_another_tenant_s_is_not_there(ask: Asking, other: httpx.AsyncClient) -> None:
    slug = await ask.make("Mine", SPINS)
    mine = await ask.start(slug, endless=True)
    await ask.seen(mine.task_id, "STARTED")
    for path in (f"/api/invocations/{mine.id}/", f"/api/functions/invocations/by-task-id/{mine.task_id}/"):
        assert (await other.post(f"{path}cancel/")).status_code == 404
        assert (await other.delete(path)).status_code == 404
    assert (await ask.http.get(f"/api/invocations/{mine.id}/")).json()["task_status"] == "STARTED"
    assert (await ask.http.delete(f"/api/apps/elsewhere/functions/invocations/{mine.id}/")).status_code == 404
    await ask.cancel(mine.id)


async def test_who_started_it_may_and_who_develops(ask: Asking, store: Store) -> None:
    slug = await ask.make("Rights", SPINS)

    async def someone(
        name: str, role: Role, *scopes: Scope, calls: bool = False
    ) -> tuple[httpx.AsyncClient, dict[str, str]]:
        account = await people.account(store, name, role=role)
        token = await people.token_for(store, account, scopes=frozenset(scopes))
        return ask.http, {"authorization": f"Bearer {token}"}

    async def begun(headers: dict[str, str]) -> int:
        body = {"params": {"endless": True}, "async": True}
        answer = await ask.http.post(f"/api/functions/{slug}/execute/", json=body, headers=headers)
        return int(answer.json()["invocation"]["id"])

    async def asked(id: int, headers: dict[str, str]) -> httpx.Response:
        return await ask.http.post(f"/api/invocations/{id}/cancel/", headers=headers)

    _, user = await someone("cancel-user", "user", "functions:execute")
    _, another = await someone("cancel-another", "user", "functions:read", "functions:execute")
    _, reader = await someone("cancel-developer", "developer", "functions:read", "functions:execute")
    _, developer = await someone("cancel-developer", "developer", "functions:write")
    first, second = await begun(user), await begun(user)
    for headers in (another, reader):
        assert sentence(await asked(first, headers), 403)
    assert (await asked(first, user)).status_code == 202
    assert (await asked(second, developer)).status_code == 202


async def test_what_it_has_called_goes_with_it(ask: Asking) -> None:
    """A chain of three: whether they are on record yet, or were submitted in this moment."""
    await ask.make("Leaf", LOOPS)
    await ask.make("Middle", CALLS.format(name="Leaf"))
    top = await ask.make("Top", CALLS.format(name="Middle"))
    for pause_s in (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, None):
        started = await ask.start(top)
        if pause_s is None:
            await whole_chain(ask, started.task_id)
        else:
            await asyncio.sleep(pause_s)
        assert (await ask.cancel(started.id))["task_status"] == "CANCELLED"
        async with asyncio.timeout(MOMENT_S * 2):
            while True:
                below = await family(ask, started.task_id)
                if all(row["task_status"] == "CANCELLED" for row in below) and not await is_busy(ask):
                    break
                await asyncio.sleep(0.05)
    assert len(below) == 2


async def whole_chain(ask: Asking, task_id: str) -> None:
    async with asyncio.timeout(30):
        for _ in range(2):
            while not (rows := await children(ask, task_id)):
                await asyncio.sleep(0.02)
            task_id = rows[0]["celery_task_id"]


async def family(ask: Asking, task_id: str) -> list[dict[str, str]]:
    """All below it."""
    rows = await children(ask, task_id)
    return [*rows, *[row for one in rows for row in await family(ask, one["celery_task_id"])]]


async def children(ask: Asking, task_id: str) -> list[dict[str, str]]:
    answer = await ask.http.get("/api/invocations/", params={"parent": task_id})
    rows: list[dict[str, str]] = answer.json()["results"]
    return rows


async def is_busy(ask: Asking) -> bool:
    """Whether anything runs in a slot for code."""
    async with httpx.AsyncClient() as http:
        page = (await http.get(ask.shoal.ready["services"]["executor"]["metrics"])).text
    return any(line.startswith("shoal_slots_busy{") and not line.endswith(" 0.0") for line in page.splitlines())


async def test_an_executor_that_dies_in_that_moment(ask: Asking, folder: Path) -> None:
    """What is cancelled while nobody runs anything is not run by who comes after; the rest is."""
    spins = await ask.make("Dies", SPINS)
    running = [await ask.start(spins, endless=True) for _ in range(2)]
    gates = [await ask.start("gate", name=f"dies-{number}", until="dies-open") for number in range(6)]
    for one in [*running, *gates]:
        await ask.seen(one.task_id, "STARTED")
    queued = [await ask.start(spins, endless=True) for _ in range(20)]
    dead = ask.shoal.kill("executor")
    await asyncio.gather(*(ask.cancel(one.id) for one in [*running, *queued, *gates[:3]]))
    await ask.shoal.restarted("executor", dead)
    (folder / "dies-open").touch()
    for one in gates[3:]:
        await ask.seen(one.task_id, "SUCCESS")
    assert (await ask.call(spins)).json()["data"] == "short"
    ends = await ask.ends(spins, "gate")
    assert {ends[one.task_id].outcome.status for one in [*running, *queued, *gates[:3]]} == {"CANCELLED"}
    runs = [(folder / f"dies-{number}").read_text() for number in range(6)]
    assert runs == ["x", "x", "x", "xx", "xx", "xx"]  # those that were cut ran again, those that were cancelled not
