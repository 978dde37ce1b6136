"""Keys as they are pressed, on a terminal that is as it was when one has done."""

import os
import select
import sys
import termios
import tty
from types import TracebackType
from typing import Self


class Keyboard:
    """Held as a context. Where standard input is no terminal no key is ever pressed."""

    def __init__(self) -> None:
        self._terminal = sys.stdin.fileno() if sys.stdin.isatty() else -1
        self._before: list[int | list[bytes | int]] = []

    def __enter__(self) -> Self:
        if self._terminal >= 0:
            self._before = termios.tcgetattr(self._terminal)
            tty.setcbreak(self._terminal)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before:
            termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)

    def pressed(self, *, within_s: float) -> str:
        """The next key, or "" when none was pressed in that time."""
        if self._terminal < 0:
            select.select([], [], [], within_s)
            return ""
        if not select.select([self._terminal], [], [], within_s)[0]:
            return ""
        return os.read(self._terminal, 1).decode("ascii", "ignore")
