"""Who takes the lines of a call while it runs, in place of an executor."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from services.executor.mode import Call
from shared.domain.line import Line


class Taker:
    """Takes lines as an executor does."""

    def __init__(self, *, wanted: bool = True, most_lines: int = 1000, most_bytes: int = 1 << 20) -> None:
        self.wanted = wanted
        self.most_lines = most_lines
        self.most_bytes = most_bytes
        self.lines: list[Line] = []
        self.missed: list[int] = []
        self.came = asyncio.Event()
        self.tell: Callable[[bool], None] | None = None

    def watch(self, told: Callable[[bool], None]) -> None:
        self.tell = told

    def miss(self, first: int, last: int) -> None:
        self.missed += range(first, last + 1)

    def say(self, lines: Sequence[Line]) -> None:
        self.lines += lines
        self.came.set()


def told_to(call: Call, live: Taker) -> Call:
    return msgspec.structs.replace(call, live=live)


def numbers(lines: Sequence[Line]) -> list[int]:
    return [line.n for line in lines]
