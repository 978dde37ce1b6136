"""What is known of a call's output before its end, so that a call that is cut has in its record what it wrote."""

from collections.abc import Sequence

import msgspec

from services.executor.modes.python.frames import LINE_BYTES, FrameError, KeptFrame, LineFrame, ReplyFrame
from services.executor.modes.python.lines import cost_bytes, log_of, printed_of, warnings_of
from shared.domain.limits import Limits
from shared.domain.line import Line
from shared.domain.outcome import LogLine, Outcome

_MOST_FRAMES = 2000  # of one call, beside those that its time allows
_MOST_A_SECOND = 100  # more than an honest worker sends
_MOST_PRINTED = 1000


class Kept:
    """Of one call, within its limits. The worker is not believed.

    What it sends to be kept is as its reply would have it. Lines that are told to followers come sooner, without their
    data, and stand in for what was not sent to be kept yet.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._room_bytes = limits.output_bytes
        self._stdout = bytearray()
        self._lines: list[LineFrame] = []
        self._printed: list[tuple[int, int]] = []
        self._state = KeptFrame(0, b"", [], [], said=0, truncated=False, lines_too_large=0, lines_too_many=0)
        self._told: list[Line] = []
        self._told_room = limits.output_bytes
        self._left = _MOST_FRAMES + int(_MOST_A_SECOND * limits.timeout_s)

    def take(self, frame: KeptFrame) -> None:
        """What is to be kept. Raises FrameError for more than an honest worker keeps."""
        self._left -= 1
        if self._left < 0 or not (frame.stdout or frame.lines):
            raise FrameError("too much to be kept, or nothing")
        self._room_bytes -= len(frame.stdout) + sum(map(cost_bytes, frame.lines))
        if self._room_bytes < 0 or len(self._lines) + len(frame.lines) > self._limits.log_lines:
            raise FrameError("more to be kept than the limits allow")
        self._stdout += frame.stdout
        self._lines += frame.lines
        self._printed[-1:] = frame.printed
        self._state = frame
        if len(self._printed) > _MOST_PRINTED:
            raise FrameError("too many printed lines with numbers")
        self._told.clear()
        self._told_room = self._room_bytes

    def hear(self, lines: Sequence[Line]) -> None:
        """What is told to followers, as far as there is room."""
        for line in lines:
            self._told_room -= LINE_BYTES + len(line.message)
            if self._told_room >= 0:
                self._told.append(line)

    def completed(self, outcome: Outcome) -> Outcome:
        """The outcome with all this, and with what may be missing named on its standard error output."""
        try:
            return self._completed(outcome)
        except FrameError:  # what it has logged cannot be
            return msgspec.structs.replace(outcome, stderr=_gap(1))

    def _completed(self, outcome: Outcome) -> Outcome:
        if any(line.level == "log" for line in self._told):  # the line that is begun is among them, whole
            del self._stdout[self._stdout.rfind(b"\n") + 1 :]
        stdout = self._stdout.decode("utf-8", "ignore")
        reply = self._reply(stdout)
        logs = log_of(reply, self._limits, room_bytes=self._limits.output_bytes - len(self._stdout))
        logs += self._heard(self._limits.log_lines - len(logs))
        return msgspec.structs.replace(
            outcome,
            stdout=stdout,
            stderr=_gap(self._first_missing()),
            logs=logs,
            printed=printed_of(reply),
            warnings=[*outcome.warnings, *warnings_of(reply, self._limits)],
        )

    def _heard(self, most: int) -> list[LogLine]:
        lines, room_bytes = list[LogLine](), self._room_bytes
        for line in self._told[:most]:
            room_bytes -= LINE_BYTES + len(line.message.encode())
            if room_bytes >= 0:
                lines.append(LogLine(line.at / 1000, line.level, line.message, n=line.n))
        return lines

    def _first_missing(self) -> int:
        """The number from which on lines may be missing."""
        number = self._state.said + 1
        for line in self._told:
            if line.n == number:
                number += 1
        return number

    def _reply(self, stdout: str) -> ReplyFrame:
        state = self._state
        return ReplyFrame(
            state.nonce,
            "failed",
            stdout=stdout,
            truncated=state.truncated,
            lines=self._lines,
            lines_too_large=state.lines_too_large,
            lines_too_many=state.lines_too_many,
            said=state.said,
            printed=self._printed,
        )


def _gap(number: int) -> str:
    return f"Lines from number {number} on may be missing: the call was cut before it could tell them.\n"
