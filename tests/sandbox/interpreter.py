"""What the kernel makes of one system call: an interpreter for the few instructions that filters are made of."""

from services.executor.kernel.bpf import Instruction
from services.executor.kernel.machines import ARCHITECTURES


def verdict_of(
    program: list[Instruction],
    machine: str,
    number: int,
    *,
    audit: int | None = None,
    arguments: dict[int, int] | None = None,
) -> int:
    """The verdict of a filter on a call with these arguments."""
    shown = {0: number, 4: ARCHITECTURES[machine].audit if audit is None else audit}
    shown |= {16 + 8 * index: value & 0xFFFFFFFF for index, value in (arguments or {}).items()}
    place, seen = 0, 0
    while True:
        code, if_true, if_false, value = program[place]
        place += 1
        match code:
            case 0x20:
                seen = shown.get(value, 0)
            case 0x54:
                seen &= value
            case 0x15:
                place += if_true if seen == value else if_false
            case 0x35:
                place += if_true if seen >= value else if_false
            case 0x45:
                place += if_true if seen & value else if_false
            case 0x06:
                return value
            case _:
                raise AssertionError(f"an instruction the filter does not use: {code:#x}")
