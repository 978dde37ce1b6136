"""Large code, and what Deno has compiled of it: kept for the next worker of the same code, within a bound of bytes."""

import itertools
import shutil
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple

from services.executor.modes.javascript import caches

# Of less, reading what was compiled takes as long as compiling it.
LARGE_BYTES = 64 << 10
_PASSABLE, _READABLE = 0o711, 0o644


class Whose(NamedTuple):
    """Whose code it is, and which: what one tenant's process has compiled is never another's."""

    tenant: str
    function_id: int
    code_hash: str


class Version:
    """One: where its code is, for Deno knows what it has compiled by that."""

    def __init__(self, folder: Path, code: bytes) -> None:
        folder.mkdir(mode=_PASSABLE)
        self.main = folder / "index.js"
        self.main.write_bytes(code)
        self.main.chmod(_READABLE)
        self.compiled = folder / "deno"
        self.code_bytes = len(code)
        self.kept_bytes = 0
        self.users = 0

    @property
    def own(self) -> Path | None:
        """What an earlier worker has left, if one has."""
        return self.compiled if self.kept_bytes else None


class Versions:
    """Those that were used last: up to `most_bytes`, and all that have workers."""

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._numbers = itertools.count(1)
        self._kept: OrderedDict[Whose, Version] = OrderedDict()
        self._folder.mkdir(mode=_PASSABLE)

    @property
    def total_bytes(self) -> int:
        """Of all that is kept."""
        return sum(version.code_bytes + version.kept_bytes for version in self._kept.values())

    def begin(self, whose: Whose, code: bytes) -> Version:
        """A worker is to start with this code; `end` is to follow."""
        version = self._kept.get(whose)
        if version is None:
            version = self._kept[whose] = Version(self._folder / str(next(self._numbers)), code)
        self._kept.move_to_end(whose)
        version.users += 1
        self._shrink()
        return version

    def end(self, version: Version, worn: Path) -> None:
        """That worker has ended, and this is what it had of Deno's caches."""
        version.users -= 1
        if not version.kept_bytes and self._folder.exists():
            version.kept_bytes = caches.keep(worn, version.compiled, most_bytes=self._most_bytes)
        self._shrink()

    def _shrink(self) -> None:
        for whose, version in list(self._kept.items()):
            if self.total_bytes <= self._most_bytes:
                return
            if not version.users:
                del self._kept[whose]
                shutil.rmtree(version.main.parent, ignore_errors=True)
