"""What the sandbox is worth on this machine: every layer is put on by a throw-away child that tries the forbidden."""

import errno
import mmap
import os
import signal
import socket
from pathlib import Path

from services.executor.kernel import calls, landlock
from services.executor.kernel.bpf import Filter
from services.executor.kernel.machines import Architecture
from services.executor.kernel.trial import ON, NotHeldError, in_child, refused
from services.executor.modes.python import isolation, lockdown
from services.executor.modes.python.lockdown import ProcessLimits


def seccomp(made: Filter, machine: Architecture) -> str:
    """Files, sockets, processes and executable memory are refused, and what only an attack does is deadly."""

    def tries() -> None:
        made.put_on()
        refused(errno.EPERM, os.open, "/", os.O_RDONLY)
        refused(errno.EPERM, socket.socket)
        refused(errno.EPERM, os.fork)
        refused(errno.EPERM, mmap.mmap, -1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)
        os.getrandom(1)

    def dies() -> None:
        made.put_on()
        calls.syscall(machine.numbers["ptrace"], 0)

    held = in_child(tries)
    return held if held != ON else in_child(dies, signal.SIGSYS)


def ruleset(ruleset_fd: int, version: int) -> str:
    """A directory that could be opened cannot be, nor can a process be signalled that could."""
    parent = os.getpid()

    def tries() -> None:
        os.close(os.open("/", os.O_RDONLY))
        os.kill(parent, 0)
        landlock.put_on(ruleset_fd)
        refused(errno.EACCES, os.open, "/", os.O_RDONLY)
        if version >= landlock.SCOPES_FROM_ABI:
            refused(errno.EPERM, os.kill, parent, 0)

    return in_child(tries)


def limits() -> str:
    """No further descriptor, and no further process; the latter never stops root."""

    def tries() -> None:
        lockdown.limit(ProcessLimits())
        refused(errno.EMFILE, os.dup, 0)
        if os.geteuid():
            refused(errno.EAGAIN, os.fork)

    return in_child(tries)


def namespaces() -> str:
    """The zygote is the first process it can see, and not even its own machine can be reached by network."""

    def tries() -> None:
        if os.getppid() != 1:
            raise NotHeldError("the process numbers are the machine's")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            refused(errno.ENETUNREACH, one.connect, ("127.0.0.1", 9))

    return in_child(tries)


def files() -> str:
    """There is nothing under the root."""

    def tries() -> None:
        if any(Path("/").iterdir()) or any(Path("/..").iterdir()):
            raise NotHeldError("the root is not empty")

    return in_child(tries)


def uid() -> str:
    """There is no way back to root."""

    def tries() -> None:
        if os.getresuid() != (isolation.OWN_UID,) * 3:
            raise NotHeldError("the user is not the sandbox's own")
        refused(errno.EPERM, os.setresuid, 0, 0, 0)

    return in_child(tries)
