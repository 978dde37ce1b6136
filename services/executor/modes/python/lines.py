"""From the lines that a worker says were logged to those of the Outcome: nothing of it is believed."""

from collections.abc import Sequence

import msgspec

from services.executor.modes.python.frames import LINE_BYTES, FrameError, LineFrame, ReplyFrame
from services.executor.modes.python.nesting import EXECUTORS_SPARE, too_deep
from shared.domain.limits import Limits
from shared.domain.line import MOST_CHARS, Line
from shared.domain.outcome import NULL, LogLine

_LATEST_S = 253_402_300_800  # the end of the year 9999, after which no date can be written
_MOST_COUNTED = 1 << 53
_MOST_RUNS = 1000

_any_json = msgspec.json.Decoder(msgspec.Raw)


def log_of(reply: ReplyFrame, limits: Limits, *, room_bytes: int) -> list[LogLine]:
    """The lines of a reply, which may take `room_bytes`. Raises FrameError when they cannot be an honest worker's."""
    counts = (reply.lines_too_large, reply.lines_too_many)
    if len(reply.lines) > limits.log_lines or not all(0 <= count < _MOST_COUNTED for count in counts):
        raise FrameError("log lines over the limit")
    if reply.lines_too_many and len(reply.lines) < limits.log_lines:
        raise FrameError("log lines left out for which there was room")
    if any(not 0 <= line.n < _MOST_COUNTED for line in reply.lines):
        raise FrameError("log lines with impossible numbers")
    if sum(cost_bytes(line) for line in reply.lines) > room_bytes:
        raise FrameError("log lines over the limit of output")
    return [_line(line) for line in reply.lines]


def warnings_of(reply: ReplyFrame, limits: Limits) -> list[str]:
    """What was left out of an outcome that stands all the same, bound by bound."""
    warnings = []
    if reply.truncated or reply.lines_too_large:
        lost = f", {_lines(reply.lines_too_large)} left out" if reply.lines_too_large else ""
        warnings.append(f"OutputTruncated: output and log lines are kept up to {limits.output_bytes} bytes{lost}")
    if reply.lines_too_many:
        lost = _lines(reply.lines_too_many)
        warnings.append(f"LogTruncated: at most {_lines(limits.log_lines)} are kept, {lost} left out")
    return warnings


def check_told(lines: Sequence[Line], *, after: int) -> int:
    """The number of the last of some lines that are told while the call runs. Raises FrameError for impossible ones."""
    if not lines:
        raise FrameError("lines that are none")
    for line in lines:
        if not after < line.n < _MOST_COUNTED or len(line.message) > MOST_CHARS:
            raise FrameError("a line out of order, or over the limit")
        if not 0 <= line.at < _LATEST_S * 1000:
            raise FrameError("a line at an impossible time")
        after = line.n
    return after


def printed_of(reply: ReplyFrame) -> list[tuple[int, int]]:
    """The numbers of what was printed. Raises FrameError."""
    at = 0
    if not 0 <= reply.said < _MOST_COUNTED:
        raise FrameError("an impossible number of lines")
    for first, count in reply.printed:
        if not at < first < first + count < _MOST_COUNTED or len(reply.printed) > _MOST_RUNS:
            raise FrameError("printed lines with impossible numbers")
        at = first + count - 1
    return reply.printed


def checked(text: bytes) -> msgspec.Raw:
    """The text, once it is certain that it is JSON: it is spliced into answers as it is. Raises FrameError."""
    try:
        text.decode("utf-8")
        _any_json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FrameError(f"a value that is not JSON: {error}") from error
    if too_deep(text, spare=EXECUTORS_SPARE):
        raise FrameError("a value that is nested too deeply")
    return msgspec.Raw(text)


def cost_bytes(line: LineFrame) -> int:
    """What it takes of the bytes of output."""
    return LINE_BYTES + len(line.message.encode()) + len(line.data)


def _line(line: LineFrame) -> LogLine:
    if not 0 <= line.at < _LATEST_S:  # false of NaN, too
        raise FrameError("a log line at an impossible time")
    return LogLine(line.at, line.level, line.message, checked(line.data) if line.data else NULL, line.n)


def _lines(count: int) -> str:
    return "1 log line" if count == 1 else f"{count} log lines"
