"""System call filters: how they are written, and how they are put on. What they let pass, a mode says."""

import ctypes
import errno
import struct

from services.executor.kernel import calls
from services.executor.kernel.machines import Architecture

Instruction = tuple[int, int, int, int]

KILL = 0x80000000
ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
REFUSE = _ERRNO | errno.EPERM
UNKNOWN = _ERRNO | errno.ENOSYS

_SET_MODE_FILTER = 1
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


class Filter:
    """A filter that is ready to be put on; made before a fork, so that it finds its pages warm."""

    def __init__(self, machine: Architecture, instructions: list[Instruction]) -> None:
        self._number = machine.numbers["seccomp"]
        code = b"".join(struct.pack("=HBBI", *one) for one in instructions)
        self._code = ctypes.create_string_buffer(code, len(code))
        self.length = len(code) // 8
        self._program = ctypes.create_string_buffer(
            struct.pack("@HP", self.length, ctypes.addressof(self._code)), struct.calcsize("@HP")
        )

    def put_on(self) -> None:
        """For this process and all it may ever start, for good."""
        calls.syscall(self._number, _SET_MODE_FILTER, 0, ctypes.addressof(self._program))


def opening(machine: Architecture) -> list[Instruction]:
    """How every filter begins: other interfaces of the same kernel are fatal, and then the number is looked at."""
    program = [_load(_ARCHITECTURE), (_IF_EQUAL, 1, 0, machine.audit), verdict(KILL), _load(_NUMBER)]
    if machine.foreign_from is not None:
        program += [(_IF_AT_LEAST, 0, 1, machine.foreign_from), verdict(KILL)]
    return program


def verdict(value: int) -> Instruction:
    """The end of a filter, or of a part of it."""
    return (_RETURN, 0, 0, value)


def only(number: int, then: list[Instruction]) -> list[Instruction]:
    """`then`, which ends in a verdict, for one system call."""
    return [(_IF_EQUAL, 0, len(then), number), *then]


def from_number(number: int, then: list[Instruction]) -> list[Instruction]:
    """`then`, which ends in a verdict, for this system call and all of a higher number."""
    return [(_IF_AT_LEAST, 0, len(then), number), *then]


def without_bits(index: int, bits: int, *, then: int = ALLOW) -> list[Instruction]:
    """Refused where an argument has any of these bits, else `then`."""
    return [_argument(index), (_IF_ANY_BIT, 0, 1, bits), verdict(REFUSE), verdict(then)]


def below(index: int, bound: int) -> list[Instruction]:
    """Allowed where an argument is less."""
    return [_argument(index), (_IF_AT_LEAST, 0, 1, bound), verdict(REFUSE), verdict(ALLOW)]


def one_of(index: int, values: tuple[int, ...], *, ignored_bits: int = 0) -> list[Instruction]:
    """Allowed where an argument, but for some bits, is one of these."""
    tests = [(_IF_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [_argument(index), (_AND, 0, 0, 0xFFFFFFFF ^ ignored_bits), *tests, verdict(REFUSE), verdict(ALLOW)]


def all_of_bits(index: int, bits: int, *, without: int = 0) -> list[Instruction]:
    """Allowed where an argument has this bit, and none of the others."""
    return [
        _argument(index),
        (_IF_ANY_BIT, 0, 2, bits),
        (_IF_ANY_BIT, 1, 0, without),
        verdict(ALLOW),
        verdict(REFUSE),
    ]


def when_argument(index: int, values: tuple[int, ...], then: list[Instruction]) -> list[Instruction]:
    """`then`, which ends in a verdict, where an argument is one of these."""
    tests = [(_IF_EQUAL, len(values) - 1 - place, 0, value) for place, value in enumerate(values[:-1])]
    return [_argument(index), *tests, (_IF_EQUAL, 0, len(then), values[-1]), *then]


def _load(offset: int) -> Instruction:
    return (_LOAD, 0, 0, offset)


def _argument(index: int) -> Instruction:
    """The low half of an argument, on a little-endian machine: the kernel reads no more of an int."""
    return _load(_ARGUMENTS + 8 * index)
