"""How far something long is: on a terminal, on one line of stderr that goes away."""

import sys
import time

_EVERY_S = 0.2


class Progress:
    """`told` is called as often as one likes. Where nobody looks, nothing is written."""

    def __init__(self) -> None:
        self._shown_at = 0.0
        self._width = 0
        self._wanted = sys.stderr.isatty()

    def told(self, what: str, count: int) -> None:
        """So many of these are done."""
        if self._wanted and time.monotonic() - self._shown_at >= _EVERY_S:
            self._shown_at = time.monotonic()
            self._write(f"{what} {count:,}")

    def clear(self) -> None:
        """Take the line away."""
        if self._width:
            self._write("")

    def _write(self, text: str) -> None:
        sys.stderr.write("\r" + text.ljust(self._width) + ("\r" if not text else ""))
        sys.stderr.flush()
        self._width = len(text)
