"""The filter of the jail, instruction by instruction, for every architecture there is a table for."""

import errno

import pytest

from services.executor.kernel.machines import ARCHITECTURES
from services.executor.modes.javascript.jail.filter import REFUSED, instructions
from tests.sandbox.interpreter import verdict_of

ALLOW, KILL, REFUSE, UNKNOWN = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
UNIX, INET, INET6, NETLINK, PACKET, VSOCK = 1, 2, 10, 16, 17, 40
STREAM, DATAGRAM, RAW, NON_BLOCKING, CLOSE_ON_EXEC = 1, 2, 3, 0o4000, 0o2000000
THREAD, A_THREAD = 0x10000, 0x3D0F00

machines = pytest.mark.parametrize("machine", ARCHITECTURES)
networks = pytest.mark.parametrize("network", [False, True])


def verdict(machine: str, number: int, arguments: dict[int, int] | None = None, *, network: bool = False) -> int:
    return verdict_of(instructions(ARCHITECTURES[machine], network=network), machine, number, arguments=arguments)


@machines
@networks
def test_what_is_on_the_list_is_refused_and_what_is_new_unknown(machine: str, network: bool) -> None:
    numbers = ARCHITECTURES[machine].numbers
    for name in set(REFUSED.split()) & set(numbers):
        assert verdict(machine, numbers[name], network=network) == REFUSE, name
    assert verdict(machine, numbers["clone3"], network=network) == UNKNOWN
    assert verdict(machine, 463, network=network) == UNKNOWN
    assert verdict(machine, 4000, network=network) == UNKNOWN
    assert verdict(machine, numbers["execve"], network=network) == ALLOW  # the program itself


@machines
@pytest.mark.parametrize("names", [REFUSED])
def test_no_name_is_without_a_number(machine: str, names: str) -> None:
    only_on_x86 = {"fork", "vfork", "mknod", "uselib", "iopl", "ioperm", "modify_ldt"}
    missing = set(names.split()) - set(ARCHITECTURES[machine].numbers)
    assert missing == (set() if machine == "x86_64" else only_on_x86)


@machines
@pytest.mark.parametrize(
    ("name", "arguments", "network", "expected"),
    [
        ("clone", {0: A_THREAD}, False, ALLOW),
        ("clone", {0: 17}, False, REFUSE),  # fork
        ("clone", {0: 0x4111}, False, REFUSE),  # a process that shares memory
        ("clone", {0: THREAD | 0x10000000}, False, REFUSE),
        ("clone", {0: THREAD | 0x40000000}, False, REFUSE),
        ("clone", {0: THREAD | 0x80}, False, REFUSE),
        ("prlimit64", {0: 0}, False, ALLOW),
        ("prlimit64", {0: 1}, False, REFUSE),
        ("socket", {0: UNIX, 1: STREAM | NON_BLOCKING | CLOSE_ON_EXEC}, False, ALLOW),
        ("socket", {0: UNIX, 1: DATAGRAM}, False, REFUSE),
        ("socket", {0: INET, 1: STREAM}, False, REFUSE),
        ("socket", {0: INET, 1: STREAM | CLOSE_ON_EXEC}, True, ALLOW),
        ("socket", {0: INET6, 1: STREAM}, True, ALLOW),
        ("socket", {0: INET, 1: DATAGRAM}, True, REFUSE),
        ("socket", {0: INET6, 1: DATAGRAM | CLOSE_ON_EXEC}, True, REFUSE),
        ("socket", {0: INET, 1: RAW}, True, REFUSE),
        ("socket", {0: NETLINK, 1: RAW}, True, REFUSE),
        ("socket", {0: PACKET, 1: RAW}, True, REFUSE),
        ("socket", {0: VSOCK, 1: STREAM}, True, REFUSE),
        ("connect", {}, False, REFUSE),
        ("connect", {}, True, ALLOW),
    ],
)
def test_arguments_decide(  # noqa: PLR0917 - what parametrize hands in
    machine: str, name: str, arguments: dict[int, int], network: bool, expected: int
) -> None:
    assert verdict(machine, ARCHITECTURES[machine].numbers[name], arguments, network=network) == expected


def test_other_interfaces_of_the_kernel_are_fatal() -> None:
    assert verdict("x86_64", 0x40000000 + 1) == KILL
    program = instructions(ARCHITECTURES["x86_64"], network=False)
    assert verdict_of(program, "x86_64", 1, audit=0x40000003) == KILL


@machines
@networks
def test_every_jump_lands(machine: str, network: bool) -> None:
    program = instructions(ARCHITECTURES[machine], network=network)
    assert len(program) < 4096
    for place, (_, if_true, if_false, _) in enumerate(program):
        assert 0 <= max(if_true, if_false) < 256
        assert place + 1 + max(if_true, if_false) <= len(program)
