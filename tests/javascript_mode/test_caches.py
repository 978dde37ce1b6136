"""What Deno has compiled: read by every worker, written by none for another, kept for large code of a function."""

import os
from pathlib import Path

import msgspec
import pytest

from services.executor.mode import Call
from services.executor.modes.javascript import caches
from services.executor.modes.javascript.mode import JavascriptMode
from services.executor.modes.javascript.versions import LARGE_BYTES, Versions, Whose
from shared.domain.egress_policy import Policy
from tests.javascript_mode.calling import call_of, said
from tests.javascript_mode.opening import Open, until

LARGE = "\n".join(
    [
        "const all = [];",
        *(f"all.push((a) => a + {n});" for n in range(LARGE_BYTES // 20)),
        "export default () => all[5](1);",
    ]
)
LOG = "v8_code_cache_v2-wal"


async def test_a_worker_reads_what_was_compiled_before_it(mode: JavascriptMode) -> None:
    """Deno writes what it finds in no cache; that of its own modules would be hundreds of kilobytes."""
    starter, whose = mode._starter, Whose("acme", 1, "h")
    link = await starter.start(b"export default 1", whose, memory_mb=128, egress=Policy.of({}), name="a")
    try:
        assert (link.place.cache / LOG).stat().st_size <= caches.OPENED_BYTES
    finally:
        link.end("unused")


async def test_what_it_may_write_is_its_own_and_has_an_end(opened: Open) -> None:
    mode = await opened()
    await mode.run(await call_of(mode, "export default () => 1"))
    (worker,) = mode._pool.live
    cache, pid = worker.link.place.cache, worker.link.pid
    folder = cache.stat()
    assert (folder.st_uid, folder.st_mode & 0o777) == (os.geteuid(), 0o711)
    owners = {path.stat().st_uid for path in cache.iterdir()}
    if mode._starter.report()["uid"] == "on":
        assert len(owners) == 1
        assert not owners & {0, os.geteuid()}
    assert {path.stat().st_mode & 0o777 for path in cache.iterdir()} == {0o600}
    assert _file_bytes(pid) == ["0", "0"]  # by its first answer all is written
    worker.link.end("unused")
    await worker.link.exited
    await until(lambda: not cache.exists())


async def test_large_code_is_compiled_once(opened: Open) -> None:
    mode = await opened()
    call = await call_of(mode, LARGE)
    first = await _log_after(mode, call)
    versions = (await mode._starter.folder()).versions
    assert first > caches.OPENED_BYTES
    assert versions.total_bytes > len(LARGE) + first
    assert await _log_after(mode, call) == first  # what it was given, and nothing beside
    other = msgspec.structs.replace(call, tenant="globex")
    kept = versions.total_bytes
    assert await _log_after(mode, other) > caches.OPENED_BYTES
    assert versions.total_bytes > kept + len(LARGE)  # the same code, and nothing shared
    assert len({version.main for version in versions._kept.values()}) == 2


async def test_what_was_used_longest_ago_goes(opened: Open) -> None:
    mode = await opened(compiled_bytes=4 << 20)
    call = await call_of(mode, LARGE)
    versions = (await mode._starter.folder()).versions
    for number in range(8):
        await _log_after(mode, msgspec.structs.replace(call, function_id=number + 1))
        assert versions.total_bytes <= 4 << 20
        assert versions.total_bytes >= _bytes_in((await mode._starter.folder()).path / "v")
    assert 0 < len(versions._kept) < 8
    assert all(version.main.exists() for version in versions._kept.values())


def test_what_is_in_use_stays(tmp_path: Path) -> None:
    versions = Versions(tmp_path / "v", most_bytes=10)
    used = versions.begin(Whose("acme", 1, "a"), b"x" * 20)
    assert versions.begin(Whose("acme", 1, "a"), b"") is used
    versions.end(used, tmp_path)
    assert used.main.exists()
    versions.end(used, tmp_path)
    assert not used.main.exists()


@pytest.mark.parametrize("hostile", ["link", "large", "link of a log", "nothing new"])
def test_what_is_not_a_cache_is_not_kept(tmp_path: Path, hostile: str) -> None:
    (secret := tmp_path / "secret").write_bytes(b"s" * 20_000)
    (worn := tmp_path / "worn").mkdir()
    (worn / "a").write_bytes(b"x" * 10)
    (worn / "a-wal").write_bytes(b"x" * 20_000)
    assert caches.keep(worn, tmp_path / "well", most_bytes=30_000) == 20_010
    (worn / "a").write_bytes(b"x" * (30_000 if hostile == "large" else 10))
    (worn / "a-wal").write_bytes(b"x" * 20_000)
    if hostile == "nothing new":
        (worn / "a-wal").write_bytes(b"x" * caches.OPENED_BYTES)
    if hostile.startswith("link"):
        path = worn / ("a-wal" if "log" in hostile else "a")
        path.unlink()
        path.symlink_to(secret)
    assert caches.keep(worn, tmp_path / "kept", most_bytes=30_000) == 0
    assert not (tmp_path / "kept").exists()


async def _log_after(mode: JavascriptMode, call: Call) -> int:
    """Bytes of the log of compiled code, of a worker of its own after this call."""
    assert said(await mode.run(call)) == 6
    (worker,) = mode._pool.live
    size = (worker.link.place.cache / LOG).stat().st_size
    worker.link.end("unused")
    await worker.link.exited
    await until(lambda: not worker.link.place.cache.exists())
    return size


def _file_bytes(pid: int) -> list[str]:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
    return next(line[26:].split()[:2] for line in lines if line.startswith("Max file size"))


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
