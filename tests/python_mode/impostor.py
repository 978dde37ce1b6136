"""A process that stands where a worker should be, and says what the test wants."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator

import pytest_asyncio

from services.executor.modes.python.worker_link import Answering, WorkerLink


class Impostor:
    """A process that stands where a worker should be, and the test's end of its socket."""

    def __init__(self, link: WorkerLink, theirs: socket.socket) -> None:
        self.link = link
        self.theirs = theirs

    def ask(self, *, timeout_s: float = 10.0, answering: Answering | None = None) -> asyncio.Task[bytes]:
        asking = self.link.exchange(b"request", limit_bytes=1000, timeout_s=timeout_s, answering=answering)
        return asyncio.create_task(asking)


@pytest_asyncio.fixture(loop_scope="session")
async def impostor() -> AsyncIterator[Impostor]:
    """The link of a process that sleeps; the test speaks in its name."""
    process = await asyncio.create_subprocess_exec("sleep", "60")
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    exited: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
    link = WorkerLink(ours, os.pidfd_open(process.pid), exited=exited)
    yield Impostor(link, theirs)
    link.end("unused")
    theirs.close()
    assert await asyncio.wait_for(process.wait(), 10) == -signal.SIGKILL
