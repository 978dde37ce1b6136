"""Threads for functions that are not async: a few, and daemons, so that one that hangs does not keep the process."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Threads:
    """At most `most` at once. A function that is given up goes on in its thread, whose place it keeps until its end."""

    def __init__(self, most: int) -> None:
        self._places = asyncio.Semaphore(most)
        self.busy = 0

    async def run(self, call: Callable[[], Any]) -> Any:
        """What `call` returns or raises."""
        await self._places.acquire()
        self.busy += 1
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            self.busy -= 1
            self._places.release()
            if not ended.done():
                ended.set_exception(error) if error else ended.set_result(result)

        def body() -> None:
            result: Any = None
            error: BaseException | None = None
            try:
                result = call()
            except StopIteration as stop:  # a future cannot carry it
                error = RuntimeError(f"StopIteration: {stop}")
            except BaseException as fault:  # noqa: BLE001 - it is raised again where the call is waited for
                error = fault
            with suppress(RuntimeError):  # the loop has ended meanwhile: nobody waits
                loop.call_soon_threadsafe(settle, result, error)

        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(body,), name="system-function", daemon=True).start()
        return await ended
