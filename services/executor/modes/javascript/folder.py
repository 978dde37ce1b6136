"""The mode's private folder: the host, Deno's caches, and for each worker a place for its code and its socket."""

import itertools
import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

from services.executor.mode import Unavailable

_MAX_SOCKET_PATH = 107  # bytes, by the kernel's word
_LONGEST = "/w/99999999/s"
_HOST = Path(__file__).with_name("host.js")
_PASSABLE, _OWN, _READABLE, _FIXED, _FIXED_FILE = 0o711, 0o700, 0o644, 0o555, 0o444


class Place(NamedTuple):
    """Of one worker."""

    folder: Path
    main: Path
    socket: Path


class Folder:
    """Made at the first use, gone with the mode."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="shoal-js-"))
        if len(bytes(self.path)) + len(_LONGEST) > _MAX_SOCKET_PATH:
            shutil.rmtree(self.path)
            raise Unavailable(f"the path of {self.path} is too long for a socket: set TMPDIR to a shorter one")
        self.path.chmod(_PASSABLE)
        self.host = self.path / "host.js"
        self.host.write_bytes(_HOST.read_bytes())
        self.host.chmod(_READABLE)
        self.cache = self.path / "deno"
        (self.path / "w").mkdir(mode=_PASSABLE)
        self.cache.mkdir(mode=_OWN)
        self._numbers = itertools.count(1)

    def place(self, name: str, code: bytes) -> Place:
        """A new place with this code in it; the jail makes its folder that of a process's user."""
        folder = self.path / "w" / str(next(self._numbers))
        folder.mkdir(mode=_OWN)
        main = folder / name
        main.write_bytes(code)
        main.chmod(_READABLE)
        return Place(folder, main, folder / "s")

    def fix_cache(self) -> None:
        """From now on the caches can be read, and nothing be left in them: workers of all tenants share them.

        They are SQLite's, in its mode of a write-ahead log, whose files have to stay: without them Deno reads nothing.
        """
        for path in _inside(self.cache):
            os.chown(path, os.geteuid(), os.getegid(), follow_symlinks=False)
            path.chmod(_FIXED if path.is_dir() else _FIXED_FILE)

    def remove(self) -> None:
        """Leave nothing behind."""
        for path in _inside(self.cache):
            if path.is_dir():
                path.chmod(_OWN)
        shutil.rmtree(self.path, ignore_errors=True)


def _inside(folder: Path) -> list[Path]:
    """The folder and all that is in it, less what it only points at: Deno leaves a link to its own binary there."""
    return [path for path in (folder, *folder.rglob("*")) if not path.is_symlink()]
