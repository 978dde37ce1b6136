"""Runs a command as an ordinary user without any privilege: `python as_user.py <uid> <command> …`, started by root.

The interpreter may lie below a folder that only root may enter. Such a folder is replaced, in a mount namespace that
ends with the command, by an empty one in which nothing but the interpreter is to be found.
"""

import ctypes
import os
import stat
import sys
from pathlib import Path

_NEW_MOUNTS = 0x20000
_BIND, _RECURSIVE, _PRIVATE = 0x1000, 0x4000, 0x40000

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _closed_folder(path: Path) -> Path | None:
    """The first folder on the way to `path` that others may not enter."""
    ways = [*reversed(path.parents), path]
    return next((one for one in ways if not one.stat().st_mode & stat.S_IXOTH), None)


def _uncover(path: Path, closed: Path) -> None:
    wanted = os.open(path, os.O_PATH)
    _check(_libc.mount(b"none", os.fsencode(closed), b"tmpfs", 0, b"mode=755"))
    path.mkdir(parents=True)
    _check(_libc.mount(f"/proc/self/fd/{wanted}".encode(), os.fsencode(path), None, _BIND | _RECURSIVE, None))
    os.close(wanted)


def main(uid: int, command: list[str]) -> None:
    """Become the command."""
    prefix = Path(sys.base_prefix).resolve()
    closed = _closed_folder(prefix)
    if closed is not None:
        _check(_libc.unshare(_NEW_MOUNTS))
        _check(_libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None))
        _uncover(prefix, closed)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
