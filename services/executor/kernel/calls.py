"""The few kernel calls that the standard library does not offer. Each raises OSError where the kernel refuses."""

import ctypes
import os
import select
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
# The same number on every architecture.
_SYS_CLOSE_RANGE = 436
_LAST_FD = 0xFFFFFFFF
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
# A variadic function: without types, ctypes would hand over the low half of a long.
_libc.syscall.argtypes = [ctypes.c_long] * 7
_libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]


def syscall(number: int, *arguments: int) -> int:
    """A system call by number; pointers are given as addresses."""
    result: int = _libc.syscall(number, *arguments, *[0] * (6 - len(arguments)))
    if result < 0:
        _fail(f"system call {number}")
    return result


def die_with_parent(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends. Ends it at once if the parent is gone already."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent_pid:
        os._exit(1)


def die_with_process(pidfd: int) -> None:
    """The same for a parent in another pid namespace, where its number means nothing."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if select.select([pidfd], [], [], 0)[0]:
        os._exit(1)


def renew_death_signal() -> None:
    """A change of the user id takes the death signal away."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))


def gain_nothing() -> None:
    """From here on no program that is started gains privileges; Landlock and seccomp ask for it."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def hide_memory() -> None:
    """Neither ptrace nor /proc/<pid>/mem nor a core dump shows this process to its equals."""
    _prctl(_PR_SET_DUMPABLE, 0)


def drop_capabilities() -> None:
    """Give up every capability, also those of a user namespace."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    if _libc.capset(ctypes.byref(header), ctypes.byref(none)) != 0:
        _fail("capset")


def unshare(flags: int) -> None:
    """Leave the namespaces of the parent; os.unshare is there from 3.12 on only."""
    if _libc.unshare(ctypes.c_int(flags)) != 0:
        _fail("unshare")


def mount(source: str, target: str, kind: str, *, flags: int, options: str = "") -> None:
    """Mount a file system, or change how one is mounted."""
    if _libc.mount(os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), options.encode()):
        _fail(f"mount {target}")


def close_from(first_fd: int) -> None:
    """Close every descriptor from `first_fd` on."""
    try:
        syscall(_SYS_CLOSE_RANGE, first_fd, _LAST_FD, 0)
    except OSError:  # kernels before 5.9
        os.closerange(first_fd, os.sysconf("SC_OPEN_MAX"))


def address_space_bytes() -> int:
    """How much address space this process has mapped."""
    return int(Path("/proc/self/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def capabilities() -> int:
    """The effective capabilities of this process as the kernel's bit set."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; then the upper halves
    if _libc.capget(ctypes.byref(header), ctypes.byref(sets)) != 0:
        _fail("capget")
    return int(sets[0]) | int(sets[3]) << 32


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        _fail(f"prctl {option}")


def _fail(what: str) -> None:
    number = ctypes.get_errno()
    raise OSError(number, f"{what}: {os.strerror(number)}")
