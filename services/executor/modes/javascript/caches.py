"""What Deno keeps of code that it has compiled: files of SQLite, of which every worker has copies of its own.

Deno reads nothing of a cache that it cannot write to, and what one worker writes no other may read: so each begins with
a copy of what code of ours has left, or of what an earlier worker of the very same code has. Its folder takes no other
file.
"""

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

FIXED_FILE = 0o444
_PASSABLE, _OWN, _OWN_FILE = 0o711, 0o700, 0o600
_LOGS = ("-wal", "-shm")

OPENED_BYTES = 16 << 10
"""More than a log has when nothing was written but what opening a database writes."""


def compact(cache: Path) -> None:
    """Have each of them in one file, without its log."""
    for path in _databases(cache):
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def copy(cache: Path, to: Path, *, own: Path | None = None) -> list[Path]:
    """Copies for one worker, and the only files that it will have; of those that `own` has, that one's.

    The logs have to be there, empty, for a worker cannot make them.
    """
    to.mkdir(mode=_PASSABLE)
    files = []
    for path in _databases(cache):
        for name in (path.name, *(path.name + log for log in _LOGS)):
            file = to / name
            source = own / name if own is not None and (own / name).exists() else cache / name
            if source.exists():
                shutil.copyfile(source, file)
            else:
                file.touch()
            file.chmod(_OWN_FILE)
            files.append(file)
    return files


def keep(worn: Path, to: Path, *, most_bytes: int) -> int:
    """Keep what a worker that has ended had, if it has added something; how much that is, 0 where nothing is kept.

    It is a tenant's, so nobody looks into it but the next worker of the same code.
    """
    names = [path.name.removesuffix(_LOGS[0]) for path in worn.glob("*" + _LOGS[0]) if _bytes_of(path) > OPENED_BYTES]
    found = [worn / (name + log) for name in names for log in ("", _LOGS[0])]
    total_bytes = sum(map(_bytes_of, found))
    if not total_bytes or total_bytes > most_bytes or not all(stat.S_ISREG(path.lstat().st_mode) for path in found):
        return 0
    to.mkdir(mode=_OWN)
    for path in found:
        os.chown(path, os.geteuid(), os.getegid(), follow_symlinks=False)
        path.rename(to / path.name)
    return total_bytes


def _bytes_of(path: Path) -> int:
    return path.lstat().st_size


def _databases(cache: Path) -> Iterator[Path]:
    for path in sorted(cache.iterdir()):
        if path.is_file() and not path.is_symlink() and not path.name.endswith(_LOGS):
            yield path
