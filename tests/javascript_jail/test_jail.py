"""The jail as a thing that starts programs: their ends, its own end, and what it does when it cannot confine them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from services.executor.mode import Unavailable
from services.executor.modes.javascript.jail.jail import Jail
from tests.javascript_jail.deno import Cell, run, running

pytestmark = pytest.mark.asyncio(loop_scope="session")

ROOT = Path(__file__).parents[2]
WAIT = "console.error('up'); setInterval(() => {}, 1000);"
LIMIT_S = 20
EXECUTOR = """
import asyncio, sys
from pathlib import Path
from services.executor.modes.javascript.jail.jail import Jail
from tests.javascript_jail.deno import Cell, running
async def main():
    jail = Jail(without=tuple(sys.argv[2:]))
    async with running(jail, Cell.under(Path(sys.argv[1]), "console.error('up'); while (true);")) as program:
        await program.line()
        print("pids", jail._keeper.pid, program.launched.pid, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest_asyncio.fixture(loop_scope="session")
async def jail() -> AsyncIterator[Jail]:
    jail = Jail()
    yield jail
    await jail.close()


@pytest.fixture
def cell(folder: Path) -> Callable[[str], Cell]:
    return lambda script: Cell.under(folder / os.urandom(4).hex(), script)


def program_of(pid: int) -> Path:
    return Path(f"/proc/{pid}/exe").readlink()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what only the kernel can bring about."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.005)


def lives(pid: int) -> bool:
    """Whether it is there, and more than the trace that its parent has not looked at."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_nothing_runs_before_the_first_program(jail: Jail, cell: Callable[[str], Cell]) -> None:
    assert jail._keeper is None
    assert await run(jail, cell("console.error('hello'); Deno.exit(7)")) == (7, "hello\n")


async def test_the_end_by_a_signal_is_told(jail: Jail, cell: Callable[[str], Cell]) -> None:
    async with running(jail, cell(WAIT)) as program:
        assert await program.line() == "up\n"
        pid = program.launched.pid
        assert program_of(pid).name == "deno"
        program.launched.kill()
        assert await asyncio.wait_for(program.launched.exited, LIMIT_S) == -signal.SIGKILL
        assert not lives(pid)
        program.launched.kill()  # once more does no harm


async def test_memory_that_runs_out(jail: Jail, cell: Callable[[str], Cell]) -> None:
    bomb = "const all = []; while (true) all.push(new Array(1000).fill(all.length));"
    status, said = await run(jail, cell(bomb), permissions=["--v8-flags=--max-old-space-size=32"])
    assert status == -signal.SIGTRAP
    assert "GC" in said


async def test_programs_are_each_other_strangers(jail: Jail, cell: Callable[[str], Cell]) -> None:
    async with running(jail, cell(WAIT)) as one, running(jail, cell(WAIT)) as other:
        await one.line()
        await other.line()
        if jail.report["uid"] == "on":
            assert one.launched.uid != other.launched.uid
        one.launched.kill()
        await asyncio.wait_for(one.launched.exited, LIMIT_S)
        assert lives(other.launched.pid)


async def test_many_at_once(jail: Jail, cell: Callable[[str], Cell]) -> None:
    ran = await asyncio.gather(*(run(jail, cell(f"console.error({n}); Deno.exit({n})")) for n in range(12)))
    assert ran == [(n, f"{n}\n") for n in range(12)]


async def test_a_keeper_that_dies_takes_its_programs_along_and_is_replaced(
    jail: Jail, cell: Callable[[str], Cell]
) -> None:
    async with running(jail, cell(WAIT)) as program:
        await program.line()
        assert jail._keeper is not None
        os.kill(jail._keeper.pid, signal.SIGKILL)
        assert await asyncio.wait_for(program.launched.exited, LIMIT_S) == -signal.SIGKILL
        await until(lambda: not lives(program.launched.pid))
    assert await run(jail, cell("console.error('again')")) == (0, "again\n")


async def test_what_cannot_start_is_an_error(jail: Jail, folder: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await jail.launch(["/no/such/program"], environment={}, stderr=2)
    with pytest.raises(OSError, match="No such file"):
        await jail.launch(["/bin/true"], environment={}, stderr=2, readable=[folder / "missing"])
    with pytest.raises(ValueError, match="bytes"):
        await jail.launch(["/bin/true", "x" * 100_000], environment={}, stderr=2)
    launched = await jail.launch(["/bin/true"], environment={}, stderr=2)
    assert await asyncio.wait_for(launched.exited, LIMIT_S) == 0


async def test_who_stops_waiting_leaves_nothing_behind(jail: Jail, cell: Callable[[str], Cell]) -> None:
    await jail.start()
    one = cell(WAIT)
    starting = asyncio.ensure_future(anext(aiter_of(jail, one)))
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait({starting})
    assert jail._keeper is not None
    keeper = jail._keeper
    await until(lambda: not keeper._wanted and not keeper._programs)


async def aiter_of(jail: Jail, cell: Cell) -> AsyncIterator[None]:
    async with running(jail, cell):
        yield


async def test_a_keeper_that_nobody_waits_for_does_not_live_on(jail: Jail, cell: Callable[[str], Cell]) -> None:
    def keepers() -> set[str]:
        return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())

    others = keepers()
    starting = asyncio.create_task(jail.start())
    await until(lambda: bool(keepers() - others))
    starting.cancel()
    await asyncio.wait({starting})
    assert starting.cancelled()
    await until(lambda: not keepers() - others)
    assert (await run(jail, cell("Deno.exit(3)")))[0] == 3


async def test_a_closed_jail_starts_nothing(jail: Jail) -> None:
    await jail.start()
    await jail.close()
    with pytest.raises(Unavailable, match="closed"):
        await jail.launch(["/bin/true"], environment={}, stderr=2)


@pytest.mark.parametrize("missing", ["seccomp", "rlimits"])
async def test_programs_that_cannot_be_confined_do_not_start_unless_told_to(missing: str) -> None:
    strict = Jail(without=(missing,))
    with pytest.raises(Unavailable, match=rf"{missing} off: left out by a setting.*SHOAL_SANDBOX=weak"):
        await strict.start()
    weak = Jail(sandbox="weak", without=(missing,))
    await weak.start()
    assert weak.report["level"] == "weak"
    await weak.close()


@pytest.mark.parametrize("without", [(), ("namespaces",), ("namespaces", "uid", "landlock")])
async def test_nobody_outlives_the_executor(folder: Path, without: tuple[str, ...]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", EXECUTOR, str(folder), *without),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(LIMIT_S):
            line = b""
            while not line.startswith(b"pids"):
                line = await process.stdout.readline()
        pids = [int(word) for word in line.split()[1:]]
        assert all(lives(pid) for pid in pids)
    finally:
        process.kill()
        await process.wait()
    await until(lambda: not any(lives(pid) for pid in pids))
