"""Passwords are hashed beside the event loop: a few at once, and a bounded number in the queue."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from shared import passwords
from shared.domain.problem import Problem

Result = TypeVar("Result")

_QUEUE = 100
_WAIT_S = 10.0
_MANY = "Many logins are in progress already; try again in a moment"


class Hashing:
    """At most `at_once` threads, each busy for some 20 ms with one password."""

    def __init__(self, *, at_once: int) -> None:
        self._threads = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="password")
        self._most = at_once + _QUEUE
        self._inside = 0
        self._entered = 0

    @contextmanager
    def room(self) -> Iterator[None]:
        """A place for one login, taken before the store is asked. Raises Problem(unavailable) when all are."""
        if self._entered >= self._most:
            raise Problem("unavailable", _MANY)
        self._entered += 1
        try:
            yield
        finally:
            self._entered -= 1

    async def hashed(self, password: str) -> str:
        """What is to be kept of a password. Raises Problem(unavailable) when too many are waited for."""
        return await self._run(lambda: passwords.hashed(password))

    async def matches(self, password: str, kept: str) -> bool:
        """Whether it is the password that was kept; as slow when nothing was. Raises Problem(unavailable)."""
        return await self._run(lambda: passwords.matches(password, kept))

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._inside >= self._most:
            raise Problem("unavailable", _MANY)
        self._inside += 1
        try:
            async with asyncio.timeout(_WAIT_S):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError:
            raise Problem("unavailable", _MANY) from None
        finally:
            self._inside -= 1
