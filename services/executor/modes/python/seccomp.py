"""The system call filter of a worker: a list of what is allowed, everything else refused or fatal."""

import ctypes
import errno
import struct

from services.executor.modes.python import kernel
from services.executor.modes.python.syscalls import ALLOWED, FATAL, MISSING, Architecture

_SET_MODE_FILTER = 1
_RET_KILL_PROCESS = 0x80000000
_RET_ERRNO = 0x00050000
_RET_ALLOW = 0x7FFF0000
_REFUSE = _RET_ERRNO | errno.EPERM

# Classic BPF, as the kernel's filter.h numbers it.
_LOAD = 0x20
_AND = 0x54
_IF_EQUAL = 0x15
_IF_AT_LEAST = 0x35
_IF_ANY_BIT = 0x45
_RETURN = 0x06
# Offsets in what the kernel shows a filter: number, architecture, instruction pointer, six arguments of 64 bits.
_NUMBER = 0
_ARCHITECTURE = 4
_ARGUMENTS = 16

_PROT_EXEC = 4
_F_GETFD, _F_GETFL = 1, 3
# Clocks above are built from a process id or a descriptor: another process's CPU time.
_FIRST_FOREIGN_CLOCK = 16
# Wait and wake, plain and with a bit set: what locks are made of. The rest has been the way to root before.
_FUTEX_FLAGS = 128 | 256
_FUTEX_OPERATIONS = (0, 1, 9, 10)

Instruction = tuple[int, int, int, int]


class Filter:
    """A filter that is ready to be put on; made in the zygote, so that a fork finds its pages warm."""

    def __init__(self, machine: Architecture) -> None:
        self._number = machine.numbers["seccomp"]
        code = b"".join(struct.pack("=HBBI", *one) for one in _instructions(machine))
        self._code = ctypes.create_string_buffer(code, len(code))
        self.length = len(code) // 8
        self._program = ctypes.create_string_buffer(
            struct.pack("@HP", self.length, ctypes.addressof(self._code)), struct.calcsize("@HP")
        )

    def put_on(self) -> None:
        """For this process and all it may ever start, for good."""
        kernel.syscall(self._number, _SET_MODE_FILTER, 0, ctypes.addressof(self._program))


def _instructions(machine: Architecture) -> list[Instruction]:
    program = [_load(_ARCHITECTURE), *_unless(machine.audit, _RET_KILL_PROCESS), _load(_NUMBER)]
    if machine.foreign_from is not None:
        program += [(_IF_AT_LEAST, 0, 1, machine.foreign_from), _return(_RET_KILL_PROCESS)]
    for name in ALLOWED.split():
        if name in machine.numbers:
            program += _only(machine.numbers[name], _CONDITIONS.get(name, [_return(_RET_ALLOW)]))
    for name in FATAL.split():
        if name in machine.numbers:
            program += _only(machine.numbers[name], [_return(_RET_KILL_PROCESS)])
    program += _only(machine.numbers[MISSING], [_return(_RET_ERRNO | errno.ENOSYS)])
    return [*program, _return(_REFUSE)]


def _only(number: int, then: list[Instruction]) -> list[Instruction]:
    """`then`, which ends in a verdict, for one system call."""
    return [(_IF_EQUAL, 0, len(then), number), *then]


def _unless(value: int, verdict: int) -> list[Instruction]:
    return [(_IF_EQUAL, 1, 0, value), _return(verdict)]


def _load(offset: int) -> Instruction:
    return (_LOAD, 0, 0, offset)


def _return(verdict: int) -> Instruction:
    return (_RETURN, 0, 0, verdict)


def _argument(index: int) -> Instruction:
    """The low half of an argument, on a little-endian machine: the kernel reads no more of an int."""
    return _load(_ARGUMENTS + 8 * index)


def _without_bit(index: int, bit: int) -> list[Instruction]:
    return [_argument(index), (_IF_ANY_BIT, 0, 1, bit), _return(_REFUSE), _return(_RET_ALLOW)]


def _below(index: int, bound: int) -> list[Instruction]:
    return [_argument(index), (_IF_AT_LEAST, 0, 1, bound), _return(_REFUSE), _return(_RET_ALLOW)]


def _one_of(index: int, values: tuple[int, ...], *, ignored_bits: int = 0) -> list[Instruction]:
    tests = [(_IF_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [_argument(index), (_AND, 0, 0, 0xFFFFFFFF ^ ignored_bits), *tests, _return(_REFUSE), _return(_RET_ALLOW)]


_CONDITIONS = {
    "mmap": _without_bit(2, _PROT_EXEC),
    "mprotect": _without_bit(2, _PROT_EXEC),
    "clock_gettime": _below(0, _FIRST_FOREIGN_CLOCK),
    "clock_getres": _below(0, _FIRST_FOREIGN_CLOCK),
    "clock_nanosleep": _below(0, _FIRST_FOREIGN_CLOCK),
    "futex": _one_of(1, _FUTEX_OPERATIONS, ignored_bits=_FUTEX_FLAGS),
    "fcntl": _one_of(1, (_F_GETFD, _F_GETFL)),
    # Its own limits only; they can be lowered, and without a capability never raised.
    "prlimit64": _below(0, 1),
}
