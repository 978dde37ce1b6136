"""The system call filter of a worker: a list of what is allowed, everything else refused or fatal."""

from services.executor.kernel import bpf
from services.executor.kernel.bpf import ALLOW, KILL, REFUSE, UNKNOWN, Filter, Instruction, only, verdict
from services.executor.kernel.machines import Architecture
from services.executor.modes.python.syscalls import ALLOWED, FATAL, MISSING

_PROT_EXEC = 4
_F_GETFD, _F_GETFL = 1, 3
# Clocks above are built from a process id or a descriptor: another process's CPU time.
_FIRST_FOREIGN_CLOCK = 16
# Wait and wake, plain and with a bit set: what locks are made of. The rest has been the way to root before.
_FUTEX_FLAGS = 128 | 256
_FUTEX_OPERATIONS = (0, 1, 9, 10)


def make_filter(machine: Architecture) -> Filter:
    """The filter for this machine, made in the zygote."""
    return Filter(machine, _instructions(machine))


def _instructions(machine: Architecture) -> list[Instruction]:
    program = bpf.opening(machine)
    for name in ALLOWED.split():
        if name in machine.numbers:
            program += only(machine.numbers[name], _CONDITIONS.get(name, [verdict(ALLOW)]))
    for name in FATAL.split():
        if name in machine.numbers:
            program += only(machine.numbers[name], [verdict(KILL)])
    program += only(machine.numbers[MISSING], [verdict(UNKNOWN)])
    return [*program, verdict(REFUSE)]


_CONDITIONS = {
    "mmap": bpf.without_bits(2, _PROT_EXEC),
    "mprotect": bpf.without_bits(2, _PROT_EXEC),
    "clock_gettime": bpf.below(0, _FIRST_FOREIGN_CLOCK),
    "clock_getres": bpf.below(0, _FIRST_FOREIGN_CLOCK),
    "clock_nanosleep": bpf.below(0, _FIRST_FOREIGN_CLOCK),
    "futex": bpf.one_of(1, _FUTEX_OPERATIONS, ignored_bits=_FUTEX_FLAGS),
    "fcntl": bpf.one_of(1, (_F_GETFD, _F_GETFL)),
    # Its own limits only; they can be lowered, and without a capability never raised.
    "prlimit64": bpf.below(0, 1),
}
