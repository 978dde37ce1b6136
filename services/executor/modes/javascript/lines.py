"""What a worker writes to its standard error: log lines as JSON, one a line, and whatever else a process says there."""

import time

import msgspec

from services.executor.mode import Live
from shared.domain.limits import Limits
from shared.domain.line import Line
from shared.domain.line import line as line_of
from shared.domain.outcome import LogLevel, LogLine

LINE_BYTES = 32  # what a line costs beside its message, as in the host

_LATEST_S = 253_402_300_800  # the end of the year 9999, after which no date can be written
_ESCAPED = 6  # bytes of JSON that one byte of text may become
_FRAME_BYTES = 256  # what a line of JSON has beside its message
_SPARE_BYTES = 64 << 10  # for what V8 says when it dies
_TAIL_BYTES = 4096
_MOST_COUNTED = 1 << 53


class FloodError(Exception):
    """More than an honest host lets through."""


class Lines:
    """Cuts what comes into lines. A long one may come byte by byte, and costs no more for that."""

    def __init__(self) -> None:
        self.rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their ends."""
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = bytes(self.rest + lines[0])
            self.rest.clear()
        self.rest += rest
        return lines


class _Line(msgspec.Struct, frozen=True):
    """A line of the host's: a log line, or how many were left out, or that it listens."""

    req: str = ""
    level: LogLevel = "info"
    ts: float = 0.0
    message: str | None = None
    many: int = 0
    large: int = 0
    listening: bool = False


_decoder = msgspec.json.Decoder(_Line)


class Log:
    """The lines of one call, within its limits, whatever comes."""

    def __init__(self, task_id: str = "", limits: Limits | None = None, live: Live | None = None) -> None:
        self.lines: list[LogLine] = []
        self.said = 0
        self._live = live
        self._untold: list[Line] = []
        self.listening = False
        self._task_id = task_id
        self._most_lines = limits.log_lines if limits else 0
        self._most_bytes = self._room_bytes = limits.output_bytes if limits else 0
        self._left_bytes = _SPARE_BYTES + _ESCAPED * self._most_bytes + _FRAME_BYTES * (self._most_lines + 3)
        self._text = bytearray()
        self._many = 0
        self._large = 0

    def spend(self, count: int) -> None:
        """So many bytes came. Raises FloodError."""
        self._left_bytes -= count
        if self._left_bytes < 0:
            raise FloodError

    def add(self, line: bytes) -> None:
        """One line, without its end."""
        try:
            told = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._text += line + b"\n"
            self._tell("error", time.time(), line.decode("utf-8", "replace"))
            return
        if told.listening:
            self.listening = True
        elif told.req != self._task_id:
            pass  # of a call that is over, and nobody's any more
        elif told.message is None:
            self._lose(told)
        else:
            self._keep(told, told.message)

    @property
    def stderr(self) -> str:
        """What was written there and is no log line."""
        return bytes(self._text[: max(0, self._room_bytes)]).decode("utf-8", "replace")

    @property
    def tail(self) -> bytes:
        """The last of it, in which a process that dies says why."""
        return bytes(self._text[-_TAIL_BYTES:])

    @property
    def warnings(self) -> list[str]:
        """What was left out, bound by bound."""
        warnings = []
        if self._large or len(self._text) > self._room_bytes:
            lost = f", {_count(self._large)} left out" if self._large else ""
            warnings.append(f"OutputTruncated: output and log lines are kept up to {self._most_bytes} bytes{lost}")
        if self._many:
            warnings.append(f"LogTruncated: at most {_count(self._most_lines)} are kept, {_count(self._many)} left out")
        return warnings

    def flush(self) -> None:
        """Hand over what is to be told while the call runs."""
        untold, self._untold = self._untold, []
        if untold and self._live is not None:
            self._live.say(untold)

    def _tell(self, level: LogLevel, at: float, message: str) -> None:
        """Count a line."""
        self.said += 1
        if self._live is not None and self._live.wanted:
            self._untold.append(line_of(self.said, level, at, message))

    def _lose(self, told: _Line) -> None:
        """So many lines the host has left out until now: they have the numbers that come next."""
        before = self._many + self._large
        self._many = max(self._many, min(told.many, _MOST_COUNTED))
        self._large = max(self._large, min(told.large, _MOST_COUNTED))
        lost = self._many + self._large - before
        if lost and self._task_id:
            self.flush()
            if self._live is not None:
                self._live.miss(self.said + 1, self.said + lost)
            self.said += lost

    def _keep(self, told: _Line, message: str) -> None:
        cost_bytes = LINE_BYTES + len(message.encode())
        if len(self.lines) >= self._most_lines:
            self._lose(_Line(many=self._many + 1))
        elif cost_bytes > self._room_bytes:
            self._lose(_Line(large=self._large + 1))
        else:
            self._room_bytes -= cost_bytes
            at = told.ts if 0 <= told.ts < _LATEST_S else 0.0  # false of NaN, too
            self._tell(told.level, at, message)
            self.lines.append(LogLine(at, told.level, message, n=self.said))


def _count(count: int) -> str:
    return "1 log line" if count == 1 else f"{count} log lines"
