"""A few threads for a library that waits in its calls."""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

Made = TypeVar("Made")


class _Job(NamedTuple):
    work: Callable[[], Any]
    made: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop


class Threads:
    """At most `most` threads, started when there is work. Nobody waits for them at the end: a call may hang."""

    def __init__(self, most: int, *, name: str) -> None:
        self._most = most
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._begun = 0
        self._busy = 0

    async def run(self, work: Callable[[], Made]) -> Made:
        """What the work returns, or raises. Who is cancelled waits no longer; the work goes on to its end."""
        loop = asyncio.get_running_loop()
        job = _Job(work, loop.create_future(), loop)
        self._busy += 1
        job.made.add_done_callback(self._done)
        if self._begun < min(self._busy, self._most):
            self._begun += 1
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()
        self._jobs.put(job)
        made: Made = await job.made
        return made

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being done, or waits to be."""
        return not self._busy

    def close(self) -> None:
        """Let the threads end with what they do now."""
        for _ in range(self._begun):
            self._jobs.put(None)
        self._begun = self._most  # no more of them

    def _done(self, _: "asyncio.Future[Any]") -> None:
        self._busy -= 1

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            if job.made.cancelled():
                continue
            try:
                made, error = job.work(), None
            except Exception as raised:  # noqa: BLE001 - raised again where it is waited for
                made, error = None, raised
            with suppress(RuntimeError):  # the loop has ended meanwhile
                job.loop.call_soon_threadsafe(_tell, job.made, made, error)


def _tell(future: "asyncio.Future[Any]", made: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(made)
    else:
        future.set_exception(error)
