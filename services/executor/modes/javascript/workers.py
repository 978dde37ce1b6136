"""Warm workers."""

from collections import Counter

from services.executor.modes.javascript.link import WorkerLink
from services.executor.modes.javascript.settings import JavascriptSettings
from services.executor.modes.javascript.starting import Starter
from services.executor.modes.javascript.worker_key import Key


class Workers:
    """By key."""

    def __init__(self, starter: Starter, settings: JavascriptSettings) -> None:
        self._starter = starter
        self._settings = settings
        self._idle: dict[Key, list[WorkerLink]] = {}
        self._keys: dict[WorkerLink, Key] = {}
        self.counts: Counter[str] = Counter()

    @property
    def workers(self) -> int:
        return len(self._keys)

    @property
    def idle(self) -> int:
        return sum(map(len, self._idle.values()))

    async def take(self, key: Key, code: bytes) -> WorkerLink:
        waiting = self._idle.get(key)
        if waiting:
            self.counts["warm"] += 1
            return waiting.pop()
        link = await self._starter.start(code, memory_mb=key.memory_mb)
        self.counts["cold"] += 1
        self._keys[link] = key
        link.on_end = self._ended
        return link

    def give_back(self, link: WorkerLink) -> None:
        if link.alive:
            self._idle.setdefault(self._keys[link], []).append(link)

    def _ended(self, link: WorkerLink) -> None:
        key = self._keys.pop(link)
        if link in self._idle.get(key, ()):
            self._idle[key].remove(link)
        self.counts[str(link.reason)] += 1

    async def close(self) -> None:
        for link in list(self._keys):
            link.end("closed")
