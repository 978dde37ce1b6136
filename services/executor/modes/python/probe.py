"""What the sandbox is worth on this machine: every layer is put on by a throw-away child that tries the forbidden."""

import errno
import mmap
import os
import select
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.executor.modes.python import isolation, kernel, landlock, lockdown, syscalls
from services.executor.modes.python.isolation import ON
from services.executor.modes.python.lockdown import ProcessLimits
from services.executor.modes.python.seccomp import Filter

_PATIENCE_S = 5.0
_MAX_SAID_BYTES = 300


class _NotHeldError(Exception):
    """The forbidden thing worked, or failed for another reason than the layer."""


def seccomp(made: Filter, machine: syscalls.Architecture) -> str:
    """Files, sockets, processes and executable memory are refused, and what only an attack does is deadly."""

    def tries() -> None:
        made.put_on()
        _refused(errno.EPERM, os.open, "/", os.O_RDONLY)
        _refused(errno.EPERM, socket.socket)
        _refused(errno.EPERM, os.fork)
        _refused(errno.EPERM, mmap.mmap, -1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)
        os.getrandom(1)

    def dies() -> None:
        made.put_on()
        kernel.syscall(machine.numbers["ptrace"], 0)

    held = _in_child(tries)
    return held if held != ON else _in_child(dies, signal.SIGSYS)


def ruleset(ruleset_fd: int, version: int) -> str:
    """A directory that could be opened cannot be, nor can a process be signalled that could."""
    parent = os.getpid()

    def tries() -> None:
        os.close(os.open("/", os.O_RDONLY))
        os.kill(parent, 0)
        landlock.put_on(ruleset_fd)
        _refused(errno.EACCES, os.open, "/", os.O_RDONLY)
        if version >= landlock.SCOPES_FROM_ABI:
            _refused(errno.EPERM, os.kill, parent, 0)

    return _in_child(tries)


def limits() -> str:
    """No further descriptor, and no further process; the latter never stops root."""

    def tries() -> None:
        lockdown.limit(ProcessLimits())
        _refused(errno.EMFILE, os.dup, 0)
        if os.geteuid():
            _refused(errno.EAGAIN, os.fork)

    return _in_child(tries)


def namespaces() -> str:
    """The zygote is the first process it can see, and not even its own machine can be reached by network."""

    def tries() -> None:
        if os.getppid() != 1:
            raise _NotHeldError("the process numbers are the machine's")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            _refused(errno.ENETUNREACH, one.connect, ("127.0.0.1", 9))

    return _in_child(tries)


def files() -> str:
    """There is nothing under the root."""

    def tries() -> None:
        if any(Path("/").iterdir()) or any(Path("/..").iterdir()):
            raise _NotHeldError("the root is not empty")

    return _in_child(tries)


def uid() -> str:
    """There is no way back to root."""

    def tries() -> None:
        if os.getresuid() != (isolation.OWN_UID,) * 3:
            raise _NotHeldError("the user is not the sandbox's own")
        _refused(errno.EPERM, os.setresuid, 0, 0, 0)

    return _in_child(tries)


def _refused(number: int, action: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """The action must fail with this error and no other."""
    what = getattr(action, "__qualname__", repr(action))
    try:
        done = action(*arguments, **named)
    except OSError as error:
        if error.errno != number:
            raise _NotHeldError(f"{what}: {error}") from error
        return
    if done == 0 and action is os.fork:
        os._exit(0)
    raise _NotHeldError(f"{what} is possible")


def _in_child(tries: Callable[[], None], deadly: int = 0) -> str:
    """Run it in a child: on when it returns, or when the kernel ends it by the signal `deadly`; else why not."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        _tell(theirs, tries)
    os.close(theirs)
    if not select.select([ours], [], [], _PATIENCE_S)[0]:
        os.kill(child, signal.SIGKILL)
    said = os.read(ours, _MAX_SAID_BYTES).decode("utf-8", "replace")
    os.close(ours)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status == -deadly and (said == ON or deadly):
        return ON
    return f"off: {said or f'the probe ended with status {status}'}"


def _tell(pipe: int, tries: Callable[[], None]) -> None:
    said = ON
    try:
        tries()
    except Exception as error:  # noqa: BLE001 - whatever it is, the layer is not there
        said = str(error) or type(error).__name__
    finally:
        os.write(pipe, said.encode()[:_MAX_SAID_BYTES])
        os._exit(0)
