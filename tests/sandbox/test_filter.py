"""The filter, instruction by instruction, for every architecture there is a table for: also those we do not run on."""

import errno

import pytest

from services.executor.kernel.machines import ARCHITECTURES
from services.executor.modes.python.seccomp import _instructions
from services.executor.modes.python.syscalls import ALLOWED, FATAL
from tests.sandbox.interpreter import verdict_of

ALLOW, KILL, REFUSE, MISSING = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
MAX_INSTRUCTIONS = 4096  # the kernel's bound
TOP_BITS = 0xFFFFFFFF00000000  # the kernel ignores them where an argument is an int, and so must the filter

CASES = [
    ("mmap", {2: 3}, ALLOW),
    ("mmap", {2: 4}, REFUSE),
    ("mmap", {2: 7}, REFUSE),
    ("mprotect", {2: 1}, ALLOW),
    ("mprotect", {2: 5}, REFUSE),
    ("prlimit64", {0: 0}, ALLOW),
    ("prlimit64", {0: 1}, REFUSE),
    ("prlimit64", {0: TOP_BITS}, ALLOW),
    ("fcntl", {1: 1}, ALLOW),
    ("fcntl", {1: 3}, ALLOW),
    ("fcntl", {1: 0}, REFUSE),
    ("fcntl", {1: 4}, REFUSE),
    ("clock_gettime", {0: 1}, ALLOW),
    ("clock_gettime", {0: 11}, ALLOW),
    ("clock_gettime", {0: 0xFFFFFFF6}, REFUSE),
    ("clock_nanosleep", {0: 0xFFFFFFFE}, REFUSE),
    ("futex", {1: 128}, ALLOW),
    ("futex", {1: 9 | 128 | 256}, ALLOW),
    ("futex", {1: 10}, ALLOW),
    ("futex", {1: 6}, REFUSE),
    ("futex", {1: 12 | 128}, REFUSE),
    ("futex", {1: 1 << 20}, REFUSE),
]


def verdict(name: str, number: int, *, audit: int | None = None, arguments: dict[int, int] | None = None) -> int:
    return verdict_of(_instructions(ARCHITECTURES[name]), name, number, audit=audit, arguments=arguments)


both = pytest.mark.parametrize("machine", ARCHITECTURES)


@both
def test_every_name_has_its_verdict(machine: str) -> None:
    numbers = ARCHITECTURES[machine].numbers
    told_apart = {name for name, _, _ in CASES} | {"clock_getres"}
    for name in set(ALLOWED.split()) & set(numbers) - told_apart:
        assert verdict(machine, numbers[name]) == ALLOW, name
    for name in set(FATAL.split()) & set(numbers):
        assert verdict(machine, numbers[name]) == KILL, name
    assert verdict(machine, numbers["clone3"]) == MISSING


@both
def test_what_has_no_name_is_refused(machine: str) -> None:
    known = set(ARCHITECTURES[machine].numbers.values()) - {ARCHITECTURES[machine].numbers["seccomp"]}
    for number in set(range(600)) - known:
        assert verdict(machine, number) == REFUSE, number


@both
@pytest.mark.parametrize(("name", "arguments", "expected"), CASES)
def test_arguments_decide(machine: str, name: str, arguments: dict[int, int], expected: int) -> None:
    assert verdict(machine, ARCHITECTURES[machine].numbers[name], arguments=arguments) == expected


@both
def test_another_architecture_is_fatal(machine: str) -> None:
    for audit in (0x40000003, 0x40000028, 0xC000003E, 0xC00000B7):  # i386, arm, x86-64, aarch64
        if audit != ARCHITECTURES[machine].audit:
            assert verdict(machine, ARCHITECTURES[machine].numbers["getpid"], audit=audit) == KILL


def test_the_second_interface_of_x86_is_fatal() -> None:
    for number in (0x40000000, 0x40000002, 0x40000000 + 520, 0xFFFFFFFF):
        assert verdict("x86_64", number) == KILL


@both
def test_it_is_short_enough_and_every_jump_lands(machine: str) -> None:
    program = _instructions(ARCHITECTURES[machine])
    assert len(program) < MAX_INSTRUCTIONS
    for place, (_, if_true, if_false, _) in enumerate(program):
        assert 0 <= if_true < 256
        assert 0 <= if_false < 256
        assert place + 1 + max(if_true, if_false) <= len(program)
