"""What was looked up, believed for a while: at hand without a wait, and still at hand when the store is away."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from shared.domain.problem import Problem

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

_PATIENCE_S = 0.5  # how long the holder of an older answer waits for a newer one


class _Entry(NamedTuple, Generic[Value]):
    value: Value
    until: float


class Remembered(Generic[Key, Value]):
    """A bounded cache of what `ask` answered. That there is nothing is never remembered.

    Past `believed_s` an entry is asked for anew; if the store cannot answer, the old one goes on being used.
    """

    def __init__(self, ask: Callable[[Key], Awaitable[Value | None]], *, believed_s: float, most: int = 10_000) -> None:
        self._ask = ask
        self._believed_s = believed_s
        self._most = most
        self._entries: dict[Key, _Entry[Value]] = {}
        self._loads: dict[Key, asyncio.Task[Value | None]] = {}
        self._drops = 0
        self._away = False

    async def find(self, key: Key) -> Value | None:
        """The value, or None where there is none. Raises Problem(unavailable) when nothing is known of it."""
        entry = self._entries.get(key)
        if entry is not None and time.monotonic() < entry.until:
            return entry.value
        load = self._load(key)
        if entry is None:
            return await asyncio.shield(load)
        # The first to meet a store that is away waits a moment; those after it only look in the background.
        await asyncio.wait({load}, timeout=0 if self._away else _PATIENCE_S)
        if load.done() and not isinstance(load.exception(), Problem):
            return load.result()
        self._away = True
        return entry.value

    async def newer(self, key: Key, enough: Callable[[Value], bool]) -> Value | None:
        """The value, for one who knows that what is remembered is outdated. Raises Problem(unavailable).

        A look-up that is under way may have begun too early: it will do if it is new `enough`, else one more follows.
        """
        early = self._loads.get(key)
        if early is not None:
            await asyncio.wait({early})
            if early.exception() is None and (value := early.result()) is not None and enough(value):
                return value
        return await asyncio.shield(self._load(key))

    def known(self, key: Key) -> Value | None:
        """What is remembered now, without asking."""
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def drop(self, key: Key) -> None:
        """Forget it: it has changed."""
        self._drops += 1
        self._entries.pop(key, None)
        self._loads.pop(key, None)

    def drop_all(self, whose: Callable[[Key, Value], bool]) -> None:
        """Forget all for which `whose` is true: it looks at each, and is for what happens rarely."""
        self._drops += 1
        for key in [key for key, entry in self._entries.items() if whose(key, entry.value)]:
            del self._entries[key]
        self._loads.clear()

    def expire(self, key: Key) -> None:
        """Ask anew at its next use: it has changed, but the old answer is better than none."""
        self._drops += 1
        self._loads.pop(key, None)
        entry = self._entries.get(key)
        if entry is not None:
            self._entries[key] = _Entry(entry.value, 0.0)

    def doubt(self) -> None:
        """Ask anew for everything at its next use: news may have been missed."""
        self._drops += 1
        self._loads.clear()
        self._entries = {key: _Entry(entry.value, 0.0) for key, entry in self._entries.items()}

    def _load(self, key: Key) -> asyncio.Task[Value | None]:
        """The look-up under way for this key, begun if there is none."""
        load = self._loads.get(key)
        if load is None:
            load = self._loads[key] = asyncio.create_task(self._look_up(key))
            load.add_done_callback(lambda done: self._looked_up(key, done))
        return load

    async def _look_up(self, key: Key) -> Value | None:
        drops = self._drops
        value = await self._ask(key)
        self._away = False
        if drops == self._drops:  # else the answer may be from before a change
            self._keep(key, value)
        return value

    def _looked_up(self, key: Key, load: asyncio.Task[Value | None]) -> None:
        if self._loads.get(key) is load:
            del self._loads[key]
        if not load.cancelled() and isinstance(load.exception(), Problem):
            self._away = True

    def _keep(self, key: Key, value: Value | None) -> None:
        self._entries.pop(key, None)
        if value is None:
            return
        if len(self._entries) >= self._most:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = _Entry(value, time.monotonic() + self._believed_s)
