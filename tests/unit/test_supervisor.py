"""The supervisor's decisions that no whole platform is needed for."""

import asyncio
import errno
import os
import sys

import pytest
from structlog.testing import capture_logs

from cli.supervisor import __main__ as supervisor
from cli.supervisor import disk, keep
from cli.supervisor.fleet import stop_order
from cli.supervisor.settings import UpError, read
from shared.embedded import EmbeddedError


class Child:
    """Ends as soon as it is started, and each start goes as it is told to."""

    name = "child"
    pid = 1

    def __init__(self, *starts: Exception | None) -> None:
        self._starts = list(starts)
        self.settled = asyncio.Event()

    async def start(self) -> None:
        trouble = self._starts.pop(0)
        if trouble is not None:
            raise trouble
        if not self._starts:
            self.settled.set()

    async def wait(self) -> int:
        if self.settled.is_set():
            await asyncio.Event().wait()
        return 1

    async def stop(self, *, within_s: float) -> int:
        return 0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep, "FIRST_PAUSE_S", 0.001)


async def test_a_machine_without_room_for_a_process_is_tried_again():
    child = Child(None, OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), EmbeddedError("no port"), None)
    with capture_logs() as said:
        keeper = keep.Keeper(child, changed=lambda: None)
        async with asyncio.timeout(5):
            await child.settled.wait()
        await keeper.stop(within_s=1)
    assert {(line["event"], line["child"], line["log_level"]) for line in said} == {
        ("a child is started again", "child", "warning")
    }
    assert [(line["pid"], line["why"], line["pause_s"]) for line in said] == [
        (1, "ended with code 1", 0.001),
        (None, "did not start (child cannot be started: [Errno 12] Cannot allocate memory)", 0.002),
        (None, "did not start (no port)", 0.004),
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_the_token_is_shown_at_a_terminal_alone(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    supervisor._announce("http://127.0.0.1:8000", "shoal_x")
    said = capsys.readouterr().out
    assert ("Shoal is up at http://127.0.0.1:8000\nAdmin token: shoal_x\n" in said) is terminal
    assert bool(said) is terminal


async def test_what_goes_wrong_the_first_time_is_for_the_user():
    keeper = keep.Keeper(Child(PermissionError(errno.EACCES, "Permission denied")), changed=lambda: None)
    with pytest.raises(EmbeddedError, match=r"child cannot be started: .*Permission denied"):
        await keeper.task


@pytest.mark.parametrize("drain_s", [2.0, 2.5, 30.0])
def test_nobody_is_cut_who_keeps_to_the_drain_time(drain_s: float):
    order = stop_order(drain_s)
    by = {name: at for names, at in order for name in names}
    assert by["api"] > drain_s
    assert by["executor"] - by["router"] > drain_s
    assert [at for _, at in order] == sorted(by.values())[2:]


def test_the_drain_time_is_shorter_at_a_terminal_and_can_be_chosen():
    assert read({}, {}).drain_s == 2.5
    assert read({}, {}).environ["SHOAL_DRAIN_S"] == "2.5"
    assert read({}, {"SHOAL_DRAIN_S": "20"}).drain_s == 20
    with pytest.raises(UpError, match="SHOAL_DRAIN_S"):
        read({}, {"SHOAL_DRAIN_S": "soon"})


async def test_a_disk_that_was_full_has_the_bus_started_anew_once():
    free = iter([1 << 40, disk.LEAST_BYTES - 1, 0, disk.LEAST_BYTES, 2 * disk.LEAST_BYTES, 1 << 40, 1 << 40])
    renewed: list[int] = []

    async def renew() -> None:
        renewed.append(1)

    with (
        capture_logs() as said,
        pytest.raises(RuntimeError, match="StopIteration"),
    ):  # the disk has been looked at as often as it says
        await asyncio.wait_for(disk.watch(lambda: next(free), renew, every_s=0.0), 5)
    assert renewed == [1]
    assert [line["event"] for line in said] == ["the disk is full", "there is room on the disk again"]


class Lasting:
    """Runs until it is told to stop."""

    name = "lasting"

    def __init__(self) -> None:
        self.pid: int | None = None
        self.starts = 0
        self._ended = asyncio.Event()

    async def start(self) -> None:
        self.starts += 1
        self.pid = self.starts
        self._ended = asyncio.Event()

    async def wait(self) -> int:
        await self._ended.wait()
        return 0

    async def stop(self, *, within_s: float) -> int:
        self._ended.set()
        return 0


async def test_a_child_is_renewed_at_once_and_waited_for():
    child = Lasting()
    with capture_logs() as said:
        keeper = keep.Keeper(child, changed=lambda: None)
        async with asyncio.timeout(5):
            await keeper.started.wait()
            await keeper.renew(within_s=1)
            assert child.starts == 2
            await keeper.renew(within_s=1)
            assert child.starts == 3
        await keeper.stop(within_s=1)
    assert [(line["event"], line["log_level"], line["pause_s"]) for line in said] == [
        ("a child is started again", "info", 0.0)
    ] * 2
