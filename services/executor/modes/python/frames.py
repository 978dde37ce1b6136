"""The frames between executor and worker: four bytes of length, big-endian, then a msgpack array."""

import socket
import struct
from collections.abc import Callable
from typing import Any, Literal

import msgspec

from shared.domain.line import Line
from shared.domain.outcome import LogLevel
from shared.domain.request import Header

HEADER = struct.Struct(">I")

# What the executor sends is its own word; the bound only keeps a bug from eating the machine.
MAX_REQUEST_BYTES = 256 << 20
# Room in a reply for names, error and traceback, over the limits of result and output.
REPLY_MARGIN_BYTES = 64 << 10
# What a line that is logged costs of the bound on output, beside its message and its data: more than its frame needs.
LINE_BYTES = 32
MAX_ARTEFACT_BYTES = 16 << 20

# Below the size from which the C library maps fresh pages for every buffer.
RECEIVE_BYTES = 64 << 10


class FrameError(Exception):
    """The other side broke the protocol."""


class InitFrame(msgspec.Struct, frozen=True, array_like=True, tag="init"):
    """Turns a fresh worker into the worker of one function version."""

    code: bytes
    memory_mb: int


class RequestFrame(msgspec.Struct, frozen=True, array_like=True):
    """What a handler is asked; `facts` are JSON values for its ctx: user, caller, app, request."""

    method: str
    url: str
    path: str
    query: str
    headers: list[Header]
    body: bytes
    facts: dict[str, Any]


class PersonFrame(msgspec.Struct, frozen=True, array_like=True):
    """For whom a call is made; `valves` is JSON text."""

    id: str
    email: str
    name: str
    role: str
    valves: bytes = b""


class PluginFrame(msgspec.Struct, frozen=True, array_like=True):
    """What the class of a plugin is called with; `valves` is JSON text."""

    key: str
    valves: bytes


class ExamineFrame(msgspec.Struct, frozen=True, array_like=True):
    """What is asked of a plugin's code in place of a call; the fields are those of `mode.Examination`."""

    what: Literal["code", "spec", "values"]
    of: Literal["valves", "user_valves"]
    values: bytes
    person: PersonFrame | None = None


class CallFrame(msgspec.Struct, frozen=True, array_like=True, tag="call"):
    """One call. `nonce` is 64 random bits that the reply must repeat; `params` is JSON text.

    `request` is there for a call that is one over HTTP, `plugin` for one of a plugin; with `examine` it is no call, but
    a look into the code. `ask_bytes` bounds the body that it may send to another function. `tells` says whether lines
    are wanted while it runs: so many of them, with so many characters together, in any second.
    """

    nonce: int
    params: bytes
    context: dict[str, Any]
    output_bytes: int
    log_lines: int
    result_bytes: int
    memory_mb: int
    ask_bytes: int = 0
    request: RequestFrame | None = None
    plugin: PluginFrame | None = None
    examine: ExamineFrame | None = None
    tells: bool = False
    told_lines: int = 0
    told_bytes: int = 0


class TellFrame(msgspec.Struct, frozen=True, array_like=True, tag="tell"):
    """Whether lines are wanted from now on. It is answered by nothing, and may come when a call is over."""

    wanted: bool


class LinesFrame(msgspec.Struct, frozen=True, array_like=True, tag="lines"):
    """Lines that the call has written, while it runs."""

    nonce: int
    lines: list[Line]


class KeptFrame(msgspec.Struct, frozen=True, array_like=True, tag="kept"):
    """What a call that takes long has printed and logged since the last one, in case it is cut before its reply.

    The fields are those of a `ReplyFrame`. `stdout`, UTF-8, and `lines` are what is new, `printed` begins with the pair
    that ended the last one, and the rest is the state of things.
    """

    nonce: int
    stdout: bytes
    lines: list["LineFrame"]
    printed: list[tuple[int, int]]
    said: int
    truncated: bool
    lines_too_large: int
    lines_too_many: int


class AnswerFrame(msgspec.Struct, frozen=True, array_like=True, tag="answer"):
    """The answer to a question, or why there is none: `error`. Which of the fields are filled the question says."""

    error: str = ""
    request: RequestFrame | None = None
    env: dict[str, str] = {}
    first: bool = False
    status: int = 200
    headers: list[Header] = []
    body: bytes = b""
    person: PersonFrame | None = None


class NeedFrame(msgspec.Struct, frozen=True, array_like=True, tag="need"):
    """Asks for what most calls do not look at: the call as a request, the function's variables, or who it is for."""

    nonce: int
    what: Literal["request", "env", "person"]


class InvokeFrame(msgspec.Struct, frozen=True, array_like=True, tag="invoke"):
    """Asks for a call of another function of the app."""

    nonce: int
    name: str
    method: str
    headers: list[Header]
    body: bytes


class ClaimFrame(msgspec.Struct, frozen=True, array_like=True, tag="claim"):
    """Asks whether this is the first claim of a key."""

    nonce: int
    key: str
    scope: str
    ttl_s: float


class PublishFrame(msgspec.Struct, frozen=True, array_like=True, tag="publish"):
    """Asks to push JSON text to a channel of the app."""

    nonce: int
    channel: str
    event: str
    payload: bytes


class CompileFrame(msgspec.Struct, frozen=True, array_like=True, tag="compile"):
    """Asks a fresh worker to compile one source, UTF-8."""

    nonce: int
    source: bytes
    memory_mb: int


class LineFrame(msgspec.Struct, frozen=True, array_like=True):
    """A line that was logged: Unix seconds, and `data` as JSON text, empty for none. `n` counts all lines from 1."""

    at: float
    level: LogLevel
    message: str
    data: bytes = b""
    n: int = 0


class HeadFrame(msgspec.Struct, frozen=True, array_like=True):
    """Status and headers of a response."""

    status: int
    headers: list[Header]


class ReplyFrame(msgspec.Struct, frozen=True, array_like=True, tag="reply"):
    """How a call ended. `result` is JSON text, or the body of a response with `head`; empty unless the status is `ok`.

    `truncated` says that printed text was left out, the counts how many lines found no room in the bytes of output, and
    how many came after the last one allowed. `said` lines were written in all; `printed` has the numbers of those that
    were printed, as pairs of a number and how many follow each other from it on.
    """

    nonce: int
    status: Literal["ok", "failed", "too_large", "memory"]
    result: bytes = b""
    stdout: str = ""
    truncated: bool = False
    error: str = ""
    traceback: str = ""
    lines: list[LineFrame] = []
    lines_too_large: int = 0
    lines_too_many: int = 0
    head: HeadFrame | None = None
    said: int = 0
    printed: list[tuple[int, int]] = []


class CompiledFrame(msgspec.Struct, frozen=True, array_like=True, tag="compiled"):
    """The marshalled code, or why there is none: pairs of line and sentence."""

    nonce: int
    code: bytes
    errors: list[tuple[int, str]]


Request = InitFrame | CallFrame | CompileFrame | TellFrame
Question = NeedFrame | InvokeFrame | ClaimFrame | PublishFrame
"""What a worker may ask in the middle of a call; it does nothing else until it has the answer."""

_encoder = msgspec.msgpack.Encoder()
_requests: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_said: msgspec.msgpack.Decoder[ReplyFrame | Question] = msgspec.msgpack.Decoder(ReplyFrame | Question)
_answers = msgspec.msgpack.Decoder(AnswerFrame)
_compiled = msgspec.msgpack.Decoder(CompiledFrame)
_told: msgspec.msgpack.Decoder[LinesFrame | KeptFrame] = msgspec.msgpack.Decoder(LinesFrame | KeptFrame)
_TOLD = (b"\x93\xa5lines", b"\x99\xa4kept")
_TELL = b"\x92\xa4tell"
_TRUE = 0xC3


def pack(frame: Request | AnswerFrame | ReplyFrame | LinesFrame | KeptFrame | Question | CompiledFrame) -> bytes:
    """A frame as it goes over the socket."""
    payload = _encoder.encode(frame)
    return HEADER.pack(len(payload)) + payload


def parse_request(payload: bytes) -> Request:
    """What the executor asks. Raises msgspec.DecodeError."""
    return _requests.decode(payload)


def wanted(payload: bytes) -> bool | None:
    """What a `TellFrame` says; None for any other frame."""
    return payload[-1] == _TRUE if payload.startswith(_TELL) else None


def parse_answer(payload: bytes) -> AnswerFrame:
    """What the executor answers. Raises msgspec.DecodeError."""
    return _answers.decode(payload)


def parse_reply(payload: bytes, nonce: int) -> ReplyFrame | Question:
    """The reply to the call `nonce`, or a question before it. Raises FrameError when it is anything else."""
    try:
        reply = _said.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FrameError(f"undecodable reply: {error}") from error
    if reply.nonce != nonce:
        raise FrameError("a reply to another call")
    return reply


def parse_told(payload: bytes, nonce: int) -> LinesFrame | KeptFrame:
    """Lines of the call `nonce`. Raises FrameError when they are anything else."""
    try:
        told = _told.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FrameError(f"undecodable lines: {error}") from error
    if told.nonce != nonce:
        raise FrameError("lines of another call")
    return told


def parse_compiled(payload: bytes, nonce: int) -> CompiledFrame:
    """The reply to the compilation `nonce`. Raises FrameError when it is anything else."""
    try:
        compiled = _compiled.decode(payload)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise FrameError(f"undecodable reply: {error}") from error
    if compiled.nonce != nonce:
        raise FrameError("a reply to another compilation")
    return compiled


class Assembly:
    """Puts one reply together from the pieces in which it arrives, believing nothing.

    Lines that come before it go to `lines`, where somebody takes them; what that raises is raised here.
    """

    def __init__(self, limit_bytes: int, lines: Callable[[bytes], None] | None = None) -> None:
        self._limit_bytes = limit_bytes
        self._lines = lines
        self._pieces = bytearray()
        self._wanted_bytes = 0

    def feed(self, piece: bytes) -> bytes | None:
        """The payload once it is whole. Raises FrameError on a length over the limit and on bytes after the reply."""
        pieces = self._pieces
        pieces += piece
        while self._is_whole(pieces):
            wanted_bytes, self._wanted_bytes = self._wanted_bytes, 0
            payload = bytes(memoryview(pieces)[HEADER.size : wanted_bytes])
            if self._lines is None or not payload.startswith(_TOLD):
                if len(pieces) > wanted_bytes:
                    raise FrameError("bytes after the reply")
                return payload
            del pieces[:wanted_bytes]
            self._lines(payload)
        return None

    def _is_whole(self, pieces: bytearray) -> bool:
        if not self._wanted_bytes:
            if len(pieces) < HEADER.size:
                return False
            self._wanted_bytes = HEADER.size + HEADER.unpack_from(pieces)[0]
            if self._wanted_bytes > HEADER.size + self._limit_bytes:
                raise FrameError(f"a reply of {self._wanted_bytes} bytes, over the limit of {self._limit_bytes}")
        return len(pieces) >= self._wanted_bytes


def read_frame(data: socket.socket) -> bytes | None:
    """The next payload on a blocking socket, None at its end. Raises FrameError on a broken frame."""
    header = _read_exactly(data, HEADER.size)
    if not header:
        return None
    wanted_bytes = HEADER.unpack(header)[0]
    if wanted_bytes > MAX_REQUEST_BYTES:
        raise FrameError(f"a request of {wanted_bytes} bytes")
    return _read_exactly(data, wanted_bytes)


def _read_exactly(data: socket.socket, wanted_bytes: int) -> bytes:
    """That many bytes, or none at all when the other side has closed."""
    whole = data.recv(wanted_bytes, socket.MSG_WAITALL)
    while len(whole) < wanted_bytes:
        piece = data.recv(wanted_bytes - len(whole), socket.MSG_WAITALL)
        if not piece:
            return b""
        whole += piece
    return whole
