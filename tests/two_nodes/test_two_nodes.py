"""Two nodes, each with every service; one of them is lost in the middle of its work, link and all, and comes back."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

from shared.domain.invocation import End
from tests.two_nodes.nodes import DEPLOY, LOSE, RESTORE, Answer, Nodes, Record, require_namespaces, running

CODE = "import time\ndef main(params):\n    time.sleep(0.2)\n    return params['n']"
FIRST, QUEUED, MEANWHILE, AFTER = 40, 160, 20, 80
BEGUN = 10
"""So many of those that are queued have ended when the node is lost."""
ENDED_S = 120.0
LOOK_S = 0.5
ENDED = frozenset(get_args(End))


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    require_namespaces()
    folder = tmp_path_factory.mktemp("nodes")
    before = _network()
    async with running(folder) as nodes:
        assert _network() == before  # the machine's own is as it was
        yield nodes
    assert _network() == before
    assert nodes.name not in _told("ip", "netns", "list")
    assert str(folder) not in _told("ps", "-eo", "args", "ww")


@pytest.fixture(scope="module")
async def slug(nodes: Nodes) -> str:
    """A function, deployed on node a."""
    made = await nodes.ask("a", "POST", "/api/apps/tests/functions/", {"name": "Rest", "execution_mode": "app"})
    assert made.status == 201, made
    slug = str(made.body["slug"])
    version = {"version": "1.0.0", "code": CODE, "is_active": True}
    uploaded = await nodes.ask("a", "POST", f"/api/functions/{slug}/code/", version)
    assert uploaded.status == 201, uploaded
    return slug


async def test_what_is_deployed_on_one_node_is_called_on_both_and_run_by_both(nodes: Nodes, slug: str) -> None:
    for number, node in enumerate(("a", "b")):
        answer = await nodes.ask(node, "POST", f"/api/functions/{slug}/execute/", {"params": {"n": number}})
        assert (answer.status, answer.body["result"]["result"]) == (200, number)
    await asyncio.gather(*(_queue(nodes, slug, "ab"[n % 2], n) for n in range(FIRST)))
    found = await _until_ended(nodes, slug, FIRST + 2)
    for node in ("a", "b"):
        assert {one.pid for one in found} & await nodes.pids(node), f"nothing has run on {node}"


async def test_the_commands_of_the_walk_through_deploy_and_call(nodes: Nodes) -> None:
    said = (await nodes.walk(DEPLOY)).replace(" ", "")
    assert '"name":"nap"' in said
    assert '{"from":"b"}' in said


async def test_all_that_was_accepted_ends_once_though_a_node_is_lost(nodes: Nodes, slug: str) -> None:
    before = len(await nodes.records(slug))
    await asyncio.gather(*(_queue(nodes, slug, "ab"[n % 2], n) for n in range(QUEUED)))
    await _until_ended(nodes, slug, before + BEGUN, at_least=True)
    assert '{"from":"a"}' in (await nodes.walk(LOSE)).replace(" ", "")
    assert await nodes.pids("b") == set()
    with pytest.raises(OSError, match=r"timed out|No route|unreachable"):
        await nodes.ask("b", "GET", f"/api/functions/{slug}/")
    await asyncio.gather(*(_queue(nodes, slug, "a", n, key=f"meanwhile-{n}") for n in range(MEANWHILE)))
    found = await _until_ended(nodes, slug, before + QUEUED + MEANWHILE)
    assert {one.status for one in found} == {"SUCCESS"}


async def test_it_comes_back_and_takes_its_part_of_the_work(nodes: Nodes, slug: str) -> None:
    assert "nothing is wrong" in await nodes.walk(RESTORE)
    before = {one.task_id for one in await nodes.records(slug)}
    await asyncio.gather(*(_queue(nodes, slug, "ab"[n % 2], n) for n in range(AFTER)))
    found = await _until_ended(nodes, slug, len(before) + AFTER)
    ran = {one.pid for one in found if one.task_id not in before}
    for node in ("a", "b"):
        assert ran & await nodes.pids(node), f"nothing has run on {node}"
    assert "nothing is wrong" in await nodes.run("shoal", "audit")


async def test_nothing_is_left_of_nodes_whose_owner_has_died(tmp_path: Path) -> None:
    require_namespaces()
    owner = await asyncio.create_subprocess_exec("sleep", "infinity")
    nodes = Nodes(tmp_path / "nodes", until=owner.pid)
    try:
        await nodes.run("network")
        assert f"{nodes.name}-b" in _told("ip", "netns", "list")
        owner.kill()
        await owner.wait()
        async with asyncio.timeout(ENDED_S):
            while nodes.name in _told("ip", "netns", "list"):
                await asyncio.sleep(LOOK_S)
    finally:
        await nodes.run("down")


async def _queue(nodes: Nodes, slug: str, node: str, number: int, *, key: str = "") -> None:
    """Have one call queued; with a key it is asked for until it is, and is one call all the same."""
    headers = {"Idempotency_Key": key} if key else {}
    body = {"params": {"n": number}, "async": True}
    async with asyncio.timeout(ENDED_S):
        while True:
            try:
                answer = await nodes.ask(node, "POST", f"/api/functions/{slug}/execute/", body, **headers)
            except OSError as error:
                answer = Answer(0, str(error))
            if answer.status == 202:
                return
            assert key, answer
            await asyncio.sleep(LOOK_S)


async def _until_ended(nodes: Nodes, slug: str, count: int, *, at_least: bool = False) -> list[Record]:
    """Wait until as many have ended, and, unless `at_least`, see that there are no others."""
    found: list[Record] = []
    try:
        async with asyncio.timeout(ENDED_S):
            while sum(one.status in ENDED for one in found) < count:
                await asyncio.sleep(LOOK_S)
                found = await nodes.records(slug)
    except TimeoutError:
        open_ones = [one for one in found if one.status not in ENDED]
        pytest.fail(f"{len(found) - len(open_ones)} of {count} have ended; not: {open_ones[:5]}")
    assert at_least or len(found) == count
    return found


def _network() -> list[str]:
    """The machine's own interfaces."""
    return _told("ip", "-o", "link").splitlines()


def _told(*argv: str) -> str:
    return subprocess.check_output(argv, text=True)
