"""What one call prints and logs, kept in order and within its bounds."""

from time import time
from typing import Any, get_args

from services.executor.modes.python.frames import LINE_BYTES, KeptFrame, LineFrame
from services.executor.modes.python.json_text import NotJsonError, json_text
from services.executor.modes.python.telling import Telling
from shared.domain.line import MOST_CHARS, line
from shared.domain.outcome import LogLevel

_LEVELS: tuple[LogLevel, ...] = get_args(LogLevel)
_MOST_RUNS = 1000  # of printed lines whose numbers follow each other; later ones have no number
_OPEN_CHARS = 64 << 10  # of a line that has no end yet, and is to be told


class Output:
    """Printed text and log lines share `limit_bytes` (UTF-8); of lines there are at most `log_lines`.

    What goes past a bound is left out and noted. A line is kept whole or not at all. Every line is counted, one that is
    printed when it ends, and told to whoever follows, whether it is kept or not.
    """

    def __init__(self, limit_bytes: int, log_lines: int, telling: Telling | None = None) -> None:
        self._telling = telling
        self._open = ""
        self._is_open = False
        self.said = 0
        self.printed: list[list[int]] = []
        self._kept = bytearray()
        self._room_bytes = limit_bytes
        self._room_lines = log_lines
        self.truncated = False
        self.lines: list[LineFrame] = []
        self.lines_too_large = 0
        self.lines_too_many = 0
        self._sent = (0, 0, 0)  # bytes, lines and pairs of `printed` that the executor has already
        if telling is not None:
            telling.fresh = self._fresh

    def write(self, text: str) -> None:
        """Keep the text as far as there is room. Lone surrogates, which UTF-8 cannot hold, are escaped."""
        encoded = _encoded(text, self._room_bytes)
        if len(encoded) > self._room_bytes:
            self.truncated = True
            encoded = encoded[: self._room_bytes]
        self._kept += encoded
        self._room_bytes -= len(encoded)
        if text:
            self._count(text, kept=bool(encoded))
            self._keep_due()

    def log(self, message: object, level: str = "info", data: Any = None) -> None:
        """The built-in `log` of a function. Raises ValueError for another level, TypeError for data that is no JSON."""
        # A subclass of str could compare equal to anything.
        if type(level) is not str or level not in _LEVELS:
            raise ValueError(f"the level of log() must be one of: {', '.join(_LEVELS)}")
        text = str(message)
        if type(text) is not str:  # it could answer to `encode` as it likes
            raise TypeError("the message of log() has no plain text")
        try:
            encoded = b"" if data is None else json_text(data)
        except NotJsonError as error:
            raise TypeError(f"the data of log() is not JSON serializable: {error}") from None
        self._keep(level, text, encoded)
        self._keep_due()

    def hand_over(self) -> None:
        """Have the executor keep what there is until now: the call is going to wait."""
        if self._telling is not None:
            self._telling.keep()

    def finish(self) -> None:
        """Nothing more will come: a line without an end is one."""
        if self._is_open:
            self._count("\n", kept=not self.truncated)

    def text(self) -> str:
        """All that was printed and kept, whole characters only."""
        return self._kept.decode("utf-8", "ignore")

    def _keep_due(self) -> None:
        if self._telling is not None and self._telling.due:
            self._telling.keep()

    def _fresh(self, nonce: int) -> KeptFrame | None:
        """What was kept since this was asked for the last time, which is taken as sent then."""
        sent_bytes, lines, pairs = self._sent
        self._sent = (len(self._kept), len(self.lines), len(self.printed))
        if self._sent[:2] == (sent_bytes, lines):
            return None
        return KeptFrame(
            nonce,
            bytes(memoryview(self._kept)[sent_bytes:]),
            self.lines[lines:],
            [(first, count) for first, count in self.printed[max(0, pairs - 1) :]],
            said=self.said,
            truncated=self.truncated,
            lines_too_large=self.lines_too_large,
            lines_too_many=self.lines_too_many,
        )

    def _count(self, text: str, *, kept: bool) -> None:
        """The lines that end in what is printed."""
        ends, first = text.count("\n"), self.said + 1
        telling = self._telling
        if telling is not None and telling.look():
            *whole, rest = (self._open + text).split("\n")
            for number, message in enumerate(whole, first):
                telling.tell(line(number, "log", time(), _spelled(message)))
            self._open = rest[:_OPEN_CHARS]
        self._is_open = not text.endswith("\n")
        self.said += ends
        if not ends or not kept:
            return
        if self.printed and sum(self.printed[-1]) == first:
            self.printed[-1][1] += ends
        elif len(self.printed) < _MOST_RUNS:
            self.printed.append([first, ends])

    def _keep(self, level: LogLevel, text: str, data: bytes) -> None:
        """From here on nothing of the function's runs: another line cannot come in between."""
        self.said += 1
        at = time()
        if self._telling is not None and self._telling.look():
            self._telling.tell(line(self.said, level, at, _spelled(text)))
        if not self._room_lines:
            self.lines_too_many += 1
            return
        message = _encoded(text, self._room_bytes)
        cost_bytes = LINE_BYTES + len(message) + len(data)
        if cost_bytes > self._room_bytes:
            self.lines_too_large += 1
            return
        self.lines.append(LineFrame(at, level, message.decode("utf-8"), data, self.said))
        self._room_lines -= 1
        self._room_bytes -= cost_bytes


def _spelled(text: str) -> str:
    """The text, where UTF-8 has all of it; else with what it has not escaped. A long one is cut."""
    return _encoded(text, MOST_CHARS).decode("utf-8", "ignore") if not text.isascii() else text[: MOST_CHARS + 1]


def _encoded(text: str, room_bytes: int) -> bytes:
    """The text in UTF-8, or the first part of it, which is longer than there is room."""
    # A character is a byte at least, so no more of them than this can fit: a huge text costs no second copy.
    return text[: room_bytes + 1].encode("utf-8", "backslashreplace")
