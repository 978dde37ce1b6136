"""What this process has just done, and the record may not show yet: whoever acts here shall find it here.

The recorder writes some milliseconds late. A reader who has just been answered waits for its next notice, not long.
"""

import asyncio
from typing import NamedTuple

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.store.client import Store
from shared.store.invocations import Invocations

_RECENT_S = 2.0  # after this the record is taken to be complete
_PATIENCE_S = 1.0  # the longest a read is held up


class Note(NamedTuple):
    """A task that this process has accepted, or answered: then its end is to be on record, too."""

    tenant: str
    task_id: str
    answered: bool
    at: float


class Recent:
    """The tasks of the last seconds, and for each tenant the last one."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self._bus = bus
        self._store = store
        self._last: dict[str, Note] = {}
        self._young: dict[str, Note] = {}
        self._old: dict[str, Note] = {}
        self._turned_at = 0.0
        self._notice: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Hear when the recorder has written."""
        await self._bus.hear(subjects.RECORDED, self._recorded)

    def note(self, tenant: str, task_id: str, *, answered: bool) -> None:
        """Remember a task for the next seconds."""
        now = asyncio.get_running_loop().time()
        if now - self._turned_at > _RECENT_S:  # two generations: what is older than both is forgotten at once
            self._young, self._old, self._turned_at = {}, self._young, now
        self._young[task_id] = self._last[tenant] = Note(tenant, task_id, answered, now)

    async def settle(self, tenant: str) -> bool:
        """Wait until the tenant's last task is on record; whether there was one that may have been late."""
        return await self._settle(self._last.get(tenant))

    async def settle_task(self, task_id: str) -> bool:
        """Wait until the end of this task is on record, if it was answered here; whether it may have been late."""
        note = self._young.get(task_id) or self._old.get(task_id)
        return await self._settle(note) if note is not None and note.answered else False

    def news(self) -> "asyncio.Future[None]":
        """Ends when the recorder has written next. To be taken before a look that may be too early."""
        if self._notice is None:
            self._notice = asyncio.get_running_loop().create_future()
        return self._notice

    async def _settle(self, note: Note | None) -> bool:
        loop = asyncio.get_running_loop()
        if note is None or loop.time() - note.at > _RECENT_S:
            return False
        until = loop.time() + _PATIENCE_S
        while True:
            notice = self.news()  # taken before the look, so that no notice falls between the two
            if await self._on_record(note) or (left := until - loop.time()) <= 0:
                return True
            await asyncio.wait({notice}, timeout=left)

    async def _on_record(self, note: Note) -> bool:
        record = Invocations(self._store, note.tenant)
        return await (record.finished(note.task_id) if note.answered else record.known(note.task_id))

    def _recorded(self, _data: bytes, _subject: str) -> None:
        if self._notice is not None:
            self._notice.set_result(None)
            self._notice = None
