"""What the jail is worth on this machine: each layer is put on by a throw-away child, which tries the forbidden."""

import errno
import fcntl
import os
import resource
import socket

from services.executor.kernel import calls, landlock, namespaces
from services.executor.kernel.bpf import Filter
from services.executor.kernel.trial import NotHeldError, in_child, refused
from services.executor.modes.javascript.jail import cell, rooms

_ELSEWHERE = "192.0.2.1"  # of documentation: nobody has it
_PORT = 3128


def seccomp(silent: Filter, networked: Filter) -> str:
    """No process, no namespace, no socket but Unix and, where there is a network, TCP; threads remain."""

    def tries() -> None:
        networked.put_on()
        socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
        refused(errno.EPERM, socket.socket, socket.AF_INET, socket.SOCK_DGRAM)
        refused(errno.EPERM, socket.socket, socket.AF_NETLINK, socket.SOCK_RAW)
        refused(errno.EPERM, os.fork)
        refused(errno.EPERM, calls.unshare, namespaces.NAMES)
        silent.put_on()
        refused(errno.EPERM, socket.socket, socket.AF_INET, socket.SOCK_STREAM)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
            refused(errno.EPERM, one.connect, "/nowhere")

    return in_child(tries)


def rules(version: int) -> str:
    """A folder that could be opened cannot be, nor can a process be signalled that could."""
    parent = os.getpid()

    def tries() -> None:
        os.close(os.open("/", os.O_RDONLY))
        os.kill(parent, 0)
        made = landlock.make_ruleset(version)
        landlock.permit(made, "/dev", landlock.READ, version=version)
        calls.gain_nothing()
        landlock.put_on(made)
        os.close(os.open("/dev", os.O_RDONLY))
        refused(errno.EACCES, os.open, "/", os.O_RDONLY)
        refused(errno.EACCES, os.open, "/dev/null", os.O_WRONLY)
        if version >= landlock.SCOPES_FROM_ABI:
            refused(errno.EPERM, os.kill, parent, 0)

    return in_child(tries)


def limits() -> str:
    """No descriptor beyond the bound, and no way to raise it."""

    def tries() -> None:
        cell.limit(file_bytes=0, counts_threads=False)
        bound, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        refused(errno.EINVAL, fcntl.fcntl, 0, fcntl.F_DUPFD, bound)
        if bound != most:
            raise NotHeldError("the bound on descriptors can be raised")

    return in_child(tries)


def network() -> str:
    """In a network of its own there is no way to anywhere, but to the one socket."""

    def tries() -> None:
        with rooms.own_network(_PORT), socket.create_connection((rooms.LOOPBACK, _PORT), timeout=1):
            if not rooms.unreachable(_ELSEWHERE):
                raise NotHeldError("other networks can be reached")

    return in_child(tries)


def uid() -> str:
    """There is no way back to root."""

    def tries() -> None:
        rooms.own_uid(rooms.FIRST_UID, [])
        refused(errno.EPERM, os.setresuid, 0, 0, 0)

    return in_child(tries)
