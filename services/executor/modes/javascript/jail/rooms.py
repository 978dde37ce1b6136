"""Where programs are kept: namespaces of the keeper, a network of a program's own, and a user of its own."""

import errno
import fcntl
import os
import socket
import struct
from pathlib import Path

from services.executor.kernel import calls, namespaces
from services.executor.kernel.trial import ON, NotHeldError, in_child

LEFT_OUT = "off: left out by a setting"
LOOPBACK = "127.0.0.1"

# In the range that nobody hands out, behind the user of the Python sandbox.
FIRST_UID, LAST_UID = 60_701, 61_183
_ROOT = 0
_CAP_CHOWN, _CAP_KILL, _CAP_SETGID, _CAP_SETUID = 0, 5, 6, 7

_NO_SETUID, _NO_DEVICES, _NO_EXEC = 2, 4, 8
_RECURSIVE, _PRIVATE = 0x4000, 0x40000
_SET_FLAGS = 0x8914  # SIOCSIFFLAGS
_UP = 1
_WAITING = 64  # connections that the guard has not taken yet
_OOM_SCORE = 800  # of 1000: the machine gives up a program before anything else


def enter_namespaces() -> str:
    """Go on in fresh namespaces, of processes too where /proc can be made to show them. On, or what is missing."""
    flags = namespaces.ALL & ~namespaces.NETWORK  # left later, if programs can have networks of their own
    numbers = in_child(_tries_processes)
    if numbers != ON:  # Deno finds itself through /proc: better the machine's than none
        flags &= ~namespaces.PROCESSES
    seen = namespaces.enter(flags)
    if seen == ON and numbers == ON:
        _show_processes()
    return seen if seen != ON or numbers == ON else f"on, but for processes: {numbers.removeprefix('off: ')}"


def _tries_processes() -> None:
    """In a process that is thrown away, for there is no way back."""
    namespaces.leave(namespaces.MOUNTS | namespaces.PROCESSES)
    child = os.fork()
    if child == 0:
        try:
            _show_processes()
        except OSError as error:
            os._exit(error.errno or 1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        raise NotHeldError(os.strerror(status) if status > 0 else f"signal {-status}")


def _show_processes() -> None:
    calls.mount("none", "/", "", flags=_RECURSIVE | _PRIVATE)
    calls.mount("proc", "/proc", "proc", flags=_NO_SETUID | _NO_DEVICES | _NO_EXEC, options="hidepid=2")


def offer_to_the_oom_killer() -> None:
    """For the keeper and every program; raising the score needs no privilege."""
    Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), encoding="ascii")


def leave_network() -> None:
    """Leave the machine's network for an empty one. Raises OSError."""
    calls.unshare(namespaces.NETWORK)


def own_network(port: int) -> socket.socket:
    """Leave the network for an empty one, in which there is one thing to connect to: the socket that is returned.

    The socket belongs to this network for good, whoever accepts its connections. Raises OSError.
    """
    leave_network()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sH22x", b"lo", _UP))
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((LOOPBACK, port))
    listener.listen(_WAITING)
    return listener


def own_uid(uid: int, owned: list[str]) -> None:
    """Become this user, who owns some folders. Raises OSError."""
    for folder in owned:
        os.chown(folder, uid, uid)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    calls.renew_death_signal()


def why_shared_uid() -> str:
    """Why programs run as the executor's own user; empty where they need not."""
    if os.geteuid() != _ROOT:
        return "shared: the executor is an ordinary user"
    needed = 1 << _CAP_CHOWN | 1 << _CAP_KILL | 1 << _CAP_SETGID | 1 << _CAP_SETUID
    if calls.capabilities() & needed != needed:
        return "shared: the executor lacks CAP_SETUID, CAP_SETGID, CAP_CHOWN or CAP_KILL"
    return ""


def unreachable(address: str) -> bool:
    """Whether there is no way to an address."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
        one.settimeout(0.1)
        return one.connect_ex((address, 9)) == errno.ENETUNREACH
