"""How an exception of the function is told to its author: its own frames, no source, few lines."""

import traceback
from types import TracebackType

from services.executor.modes.python.own_code import FILE_NAME

_MAX_LINES = 20
# Characters; all of it together has to fit into the margin of a reply frame.
_MAX_SENTENCE = 2000
_MAX_FRAME = 200


def sentence(error: BaseException) -> str:
    """`ValueError: text`. Never raises, whatever the exception's own text does."""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - the exception may be of the function's own making; pydantic's core panics
        text = ""
    if type(text) is not str:
        text = ""
    return _plain(f"{type(error).__name__}: {text}" if text else type(error).__name__, _MAX_SENTENCE)


def traceback_text(error: BaseException) -> str:
    """The frames of the function's own code, oldest first, and the sentence; at most 20 lines."""
    frames = _own_frames(error.__traceback__)
    room = _MAX_LINES - 2
    if len(frames) > room:
        left_out = len(frames) - room + 1
        half = room // 2
        frames = [*frames[:half], f"  ... {left_out} more ...", *frames[half + left_out :]]
    last = sentence(error)
    if not frames:
        return last
    return "\n".join(["Traceback (most recent call last):", *frames, last])


def located(error: BaseException) -> str:
    """The sentence, and the last line of the function's own code that it came by."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == FILE_NAME]
    return f"{sentence(error)} (line {lines[-1]})" if lines else sentence(error)


def _own_frames(trace: TracebackType | None) -> list[str]:
    return [
        _plain(f'  File "{FILE_NAME}", line {line}, in {frame.f_code.co_name}', _MAX_FRAME)
        for frame, line in traceback.walk_tb(trace)
        if frame.f_code.co_filename == FILE_NAME
    ]


def _plain(text: str, limit: int) -> str:
    """Bounded, and without the lone surrogates that no encoder takes."""
    return text[:limit].encode("utf-8", "backslashreplace").decode("utf-8")
