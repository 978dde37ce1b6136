"""Processes: when they start, whose they are, what they leave behind."""

import os
import signal
import tempfile
from pathlib import Path

import msgspec
import pytest

from services.executor.mode import Crowded
from services.executor.modes.javascript import deno
from services.executor.modes.javascript.folder import Folder
from services.executor.modes.javascript.mode import JavascriptMode, WithoutDeno, open_mode
from services.executor.modes.javascript.settings import JavascriptSettings
from services.executor.pool.bounds import Bounds
from tests.javascript_mode.calling import FUNCTION, call_of, said
from tests.javascript_mode.opening import Open, platform_of, until

COUNT = "let count = 0; export default () => [++count, Deno.pid]"


async def test_nothing_starts_before_the_first_use(opened: Open) -> None:
    before = _children()
    mode = await opened()
    assert mode.facts()["workers"] == 0
    assert mode._starter._folder is None
    assert _children() == before


def _children() -> str:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")


async def test_a_worker_is_warm_for_its_own_function_only(opened: Open) -> None:
    mode = await opened()
    call = await call_of(mode, COUNT)
    assert [said(await mode.run(call))[0] for _ in range(3)] == [1, 2, 3]
    for change in ({"tenant": "globex"}, {"function_id": 2}, {"code_hash": "other"}):
        assert said(await mode.run(msgspec.structs.replace(call, **change)))[0] == 1
    wider = msgspec.structs.replace(call, limits=msgspec.structs.replace(call.limits, memory_mb=128))
    assert said(await mode.run(wider))[0] == 1
    newer = msgspec.structs.replace(call, function=msgspec.structs.replace(FUNCTION, env_revision=7))
    assert said(await mode.run(newer))[0] == 1
    assert mode.facts()["counts"] == {"cold": 6, "warm": 2}


async def test_a_warm_worker_found_dead_is_replaced(opened: Open) -> None:
    mode = await opened()
    call = await call_of(mode, COUNT)
    assert [said(await mode.run(call))[0] for _ in range(2)] == [1, 2]
    (dead,) = (worker.link for worker in mode._pool.live)
    os.kill(dead.pid, signal.SIGKILL)
    assert said(await mode.run(call))[0] == 1  # of a new one
    (other,) = (worker.link for worker in mode._pool.live)
    assert other.pid != dead.pid
    assert dead.reason == "died"
    assert await dead.exit_status() == -signal.SIGKILL
    assert said(await mode.run(call))[0] == 2


async def test_workers_are_recycled_and_bounded(opened: Open) -> None:
    mode = await opened(Bounds(processes=2, recycle_calls=2, idle_s=0.2))
    call = await call_of(mode, COUNT)
    assert [said(await mode.run(call))[0] for _ in range(4)] == [1, 2, 1, 2]
    for number in range(4):
        await mode.run(msgspec.structs.replace(call, function_id=10 + number))
        assert mode.facts()["workers"] <= 2
    await until(lambda: mode.facts()["workers"] == 0)
    assert mode.facts()["counts"]["recycled"] == 2


async def test_nothing_is_left_behind(opened: Open) -> None:
    mode = await opened()
    assert said(await mode.run(await call_of(mode, COUNT)))[0] == 1
    folder = await mode._starter.folder()
    links = [worker.link for worker in mode._pool.live]
    await mode.close()
    assert not folder.path.exists()
    for link in links:
        await until(link.exited.done)


async def test_the_binary_is_left_as_it_is(mode: JavascriptMode) -> None:
    """Deno leaves a link to itself in its caches, which are made read only."""
    await mode._starter.folder()
    binary = deno.find()
    assert binary is not None
    assert os.access(binary, os.X_OK)


async def test_the_caches_cannot_be_written(mode: JavascriptMode) -> None:
    cache = (await mode._starter.folder()).cache
    for path in (cache, *cache.rglob("*")):
        if not path.is_symlink():
            assert path.stat().st_mode & 0o222 == 0


async def test_without_deno_calls_are_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, mode: JavascriptMode
) -> None:
    monkeypatch.setattr(deno, "find", lambda: None)
    without = open_mode(JavascriptSettings(), platform=platform_of())
    assert isinstance(without, WithoutDeno)
    outcome = await without.run(await call_of(mode, COUNT))
    assert outcome.message == f"NotSupported: {deno.MISSING}"
    await without.close()


def test_what_a_killed_executor_left_is_cleared_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    abandoned, used = Folder(compiled_bytes=0), Folder(compiled_bytes=0)
    for folder in (abandoned, used):
        (folder.cache / "store").write_bytes(b"x")
        folder.fix_cache()
    os.close(abandoned._lock_fd)  # as the kernel does for a process that is killed
    newest = Folder(compiled_bytes=0)
    assert {path.name for path in tmp_path.iterdir()} == {used.path.name, newest.path.name}
    used.remove()
    newest.remove()
    assert not list(tmp_path.iterdir())


async def test_who_lingers_keeps_no_others_waiting(opened: Open) -> None:
    """Workers that go on after their answer hold no slot: of them there may be as many as there are places."""
    mode = await opened(Bounds(processes=3, processes_per_tenant=2))
    source = "export default (req, ctx) => { ctx.waitUntil(new Promise(() => {})); return 'on and on'; }"
    for _ in range(2):
        assert said(await mode.run(await call_of(mode, source))) == "on and on"
    with pytest.raises(Crowded):  # put aside on the bus: to wait here would be to hold a slot
        await mode.run(await call_of(mode, source))
    assert mode.facts()["lingering"] == 2
    for tenant in ("globex", "initech"):
        assert said(await mode.run(await call_of(mode, source, tenant=tenant))) == "on and on"
    await until(lambda: mode.facts()["lingering"] == 3)  # one of those whose tenant had most of them was ended


async def test_who_lingers_keeps_no_memory_from_others(opened: Open) -> None:
    mode = await opened(Bounds(memory_mb=300))
    source = "export default (req, ctx) => { ctx.waitUntil(new Promise(() => {})); return 'on and on'; }"
    for tenant in ("acme", "globex", "initech"):
        assert said(await mode.run(await call_of(mode, source, tenant=tenant, memory_mb=128))) == "on and on"
    await until(lambda: mode.facts()["lingering"] == 2)
