"""The mode's private folder: the host, Deno's caches, and for each worker a place for its code and its socket."""

import fcntl
import itertools
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from services.executor.mode import Unavailable
from services.executor.modes.javascript import caches
from services.executor.modes.javascript.versions import LARGE_BYTES, Version, Versions, Whose

_PREFIX, _LOCK = "shoal-js-", "lock"
_MAX_SOCKET_PATH = 107  # bytes, by the kernel's word
_LONGEST = "/w/99999999/s"
_HOST = Path(__file__).with_name("host.js")
_PASSABLE, _OWN, _READABLE, _FIXED = 0o711, 0o700, 0o644, 0o555


class Place(NamedTuple):
    """Of one worker: `folder` is its user's, with its socket; `cache` has what Deno keeps, and takes no other file.

    `version` is of large code, which lies elsewhere.
    """

    folder: Path
    main: Path
    socket: Path
    cache: Path
    version: Version | None = None

    def put(self, code: bytes) -> None:
        """Have its code there, where there was none."""
        with self.main.open("xb") as file:
            os.fchmod(file.fileno(), _READABLE)
            file.write(code)


class Folder:
    """Made at the first use, gone with the mode."""

    def __init__(self, *, compiled_bytes: int) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock_fd = _locked(self.path)
        _remove_abandoned(self.path.parent)
        if len(bytes(self.path)) + len(_LONGEST) > _MAX_SOCKET_PATH:
            self.remove()
            raise Unavailable(f"the path of {self.path} is too long for a socket: set TMPDIR to a shorter one")
        self.path.chmod(_PASSABLE)
        self.host = self.path / "host.js"
        self.host.write_bytes(_HOST.read_bytes())
        self.host.chmod(_READABLE)
        self.cache = self.path / "deno"
        self.cache.mkdir(mode=_OWN)
        for name in ("w", "d"):
            (self.path / name).mkdir(mode=_PASSABLE)
        self.versions = Versions(self.path / "v", most_bytes=compiled_bytes)
        self._numbers = itertools.count(1)

    def place(self, code: bytes | None = None) -> Place:
        """A new place, with this code in it if there is some already; the jail makes its folder that of a user."""
        number = str(next(self._numbers))
        folder = self.path / "w" / number
        folder.mkdir(mode=_OWN)
        place = Place(folder, folder / "index.js", folder / "s", self.path / "d" / number)
        if code is not None:
            place.put(code)
        return place

    def place_of(self, whose: Whose, code: bytes) -> Place:
        """A new place for a worker with code of somebody's; large code is there but once."""
        if len(code) < LARGE_BYTES:
            return self.place(code)
        version = self.versions.begin(whose, code)
        return self.place()._replace(main=version.main, version=version)

    def leave(self, place: Place) -> None:
        """Its worker has ended: nothing of it is left, but what Deno has compiled of large code."""
        if place.version is not None:
            self.versions.end(place.version, place.cache)
        for path in (place.folder, place.cache):
            shutil.rmtree(path, ignore_errors=True)

    def fix_cache(self) -> None:
        """From now on the caches are what every worker begins with, and nobody can write to them."""
        caches.compact(self.cache)
        for path in _inside(self.cache):
            os.chown(path, os.geteuid(), os.getegid(), follow_symlinks=False)
            path.chmod(_FIXED if path.is_dir() else caches.FIXED_FILE)

    def remove(self) -> None:
        """Leave nothing behind. Harmless when it is gone."""
        _remove(self.path)
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1


def _locked(folder: Path) -> int:
    """A lock that says, for as long as its descriptor is open, that the folder is in use. It is there only locked."""
    made = folder / "lock.new"
    fd = os.open(made, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(fd, fcntl.LOCK_EX)
    made.rename(folder / _LOCK)
    return fd


def _remove_abandoned(parent: Path) -> None:
    """Clear up behind executors that were killed: tenants' code would stay, and a little more with each."""
    for lock in parent.glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError):
            if lock.parent.lstat().st_uid != os.geteuid() or lock.parent.is_symlink():
                continue
            fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(lock.parent)
            finally:
                os.close(fd)


def _remove(folder: Path) -> None:
    for path in _inside(folder / "deno"):
        if path.is_dir():
            path.chmod(_OWN)
    shutil.rmtree(folder, ignore_errors=True)


def _inside(folder: Path) -> list[Path]:
    """The folder and all that is in it, less what it only points at: Deno leaves a link to its own binary there."""
    return [path for path in (folder, *folder.rglob("*")) if not path.is_symlink()]
