"""A worker may say anything: what is not an honest reply ends it."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.executor.modes.python.frames import (
    HEADER,
    LINE_BYTES,
    Assembly,
    FrameError,
    LineFrame,
    ReplyFrame,
    pack,
    parse_reply,
)
from services.executor.modes.python.outcomes import outcome_of
from services.executor.modes.python.worker_link import WorkerEndedError
from shared.domain.outcome import Usage
from tests.limits import limits
from tests.python_mode.impostor import Impostor

LIMITS = limits(timeout_s=1, memory_mb=16, output_bytes=10, result_bytes=10)


@given(st.binary(max_size=200), st.lists(st.integers(1, 60)))
def test_pieces_of_any_size_make_the_payload(payload: bytes, sizes: list[int]) -> None:
    assembly, frame, made = Assembly(200), HEADER.pack(len(payload)) + payload, None
    for size in [*sizes, len(frame)]:
        if frame:
            made = assembly.feed(frame[:size])
            frame = frame[size:]
    assert made == payload


@given(st.binary(min_size=5, max_size=100))
def test_garbage_is_a_frame_error_or_waits_for_more(garbage: bytes) -> None:
    try:
        payload = Assembly(1000).feed(garbage)
        if payload is not None:
            parse_reply(payload, nonce=1)
    except FrameError:
        return
    assert HEADER.unpack_from(garbage)[0] > len(garbage) - HEADER.size


def test_a_length_over_the_limit_is_refused_at_its_header() -> None:
    with pytest.raises(FrameError, match="over the limit of 100"):
        Assembly(100).feed(HEADER.pack(0xFFFFFFFF))


@pytest.mark.parametrize(
    "payload",
    [
        msgspec.msgpack.encode(["reply", 2, "ok", b"1"]),
        msgspec.msgpack.encode(["reply", 1, "great", b"1"]),
        msgspec.msgpack.encode(["reply", "1", "ok"]),
        msgspec.msgpack.encode(["call", 1, b"", {}, 1, 1, 1]),
        msgspec.msgpack.encode({"nonce": 1}),
        b"\x91" * 100_000,
        b"\xc1",
        b"",
    ],
)
def test_dishonest_payloads(payload: bytes) -> None:
    with pytest.raises(FrameError):
        parse_reply(payload, nonce=1)


@pytest.mark.parametrize(
    "reply",
    [
        ReplyFrame(1, "ok", result=b"[1"),
        ReplyFrame(1, "ok", result=b'1,"x":2'),
        ReplyFrame(1, "ok", result=b'"\xff"'),
        ReplyFrame(1, "ok", result=b""),
        ReplyFrame(1, "ok", result=b"NaN"),
        ReplyFrame(1, "ok", result=b"[" * 5 + b"]" * 6),
        ReplyFrame(1, "ok", result=b"[1,2,3,4,5]"),
        ReplyFrame(1, "failed", stdout="é" * 6),
        ReplyFrame(1, "ok", result=b"[" * 5 + b"]" * 5, lines=[LineFrame(1.0, "info", "")]),
    ],
)
def test_results_that_are_not_json_or_over_the_limits(reply: ReplyFrame) -> None:
    with pytest.raises(FrameError):
        outcome_of(reply, LIMITS, Usage())


ROOMY = limits(output_bytes=1000, log_lines=2, result_bytes=5000)
LINE = LineFrame(1.7e9, "info", "m", b"{}")


def test_lines_of_an_honest_worker() -> None:
    most = ROOMY.output_bytes - 2 * LINE_BYTES - len("é".encode()) - 1
    lines = [LineFrame(0, "debug", "", b"1"), LineFrame(1.5, "error", "é", b'"' + b"x" * (most - 2) + b'"')]
    outcome = outcome_of(ReplyFrame(1, "failed", lines=lines, lines_too_many=5), ROOMY, Usage())
    assert [(line.at, line.level, line.message) for line in outcome.logs] == [(0, "debug", ""), (1.5, "error", "é")]
    assert len(outcome.warnings) == 1


def said_of(reply: ReplyFrame) -> ReplyFrame:
    """As it arrives; what cannot even be read is a FrameError."""
    said = parse_reply(pack(reply)[HEADER.size :], nonce=1)
    assert isinstance(said, ReplyFrame)
    return said


@pytest.mark.parametrize(
    "reply",
    [
        ReplyFrame(1, "ok", result=b"1", lines=[LINE] * 3),
        ReplyFrame(1, "ok", result=b"1", lines=[LineFrame(1.0, "info", "m" * 1000)]),
        ReplyFrame(1, "ok", result=b"1", lines=[LineFrame(1.0, "info", "é" * 490)]),
        ReplyFrame(1, "ok", result=b"1", lines=[LineFrame(1.0, "info", "", b"[" + b" " * 990 + b"]")]),
        ReplyFrame(1, "ok", result=b"1", stdout="x" * 960, lines=[LINE, LINE]),
        ReplyFrame(1, "ok", result=b"1", lines=[LineFrame(float("nan"), "info", "")]),
        ReplyFrame(1, "ok", result=b"1", lines=[LineFrame(float("inf"), "info", "")]),
        ReplyFrame(1, "ok", result=b"1", lines=[LineFrame(-1.0, "info", "")]),
        ReplyFrame(1, "ok", result=b"1", lines=[LineFrame(1e12, "info", "")]),
        *(
            ReplyFrame(1, "ok", result=b"1", lines=[LineFrame(1.0, "info", "", data)])
            for data in (b"NaN", b"Infinity", b"[1", b'1,"x":2', b"1 2", b'"\xff"', b'"\xed\xa0\x80"', b"{1:2}", b" ")
        ),
        ReplyFrame(1, "ok", result=b"1", lines_too_many=1),
        ReplyFrame(1, "ok", result=b"1", lines=[LINE, LINE], lines_too_many=-1),
        ReplyFrame(1, "ok", result=b"1", lines_too_large=-1),
        ReplyFrame(1, "ok", result=b"1", lines_too_large=1 << 60),
        ReplyFrame(1, "ok", result=b"[" * 900 + b"]" * 900),
    ],
)
def test_lines_that_no_honest_worker_sends(reply: ReplyFrame) -> None:
    with pytest.raises(FrameError):
        outcome_of(said_of(reply), ROOMY, Usage())


@pytest.mark.parametrize(
    "line",
    [
        [1.0, "fatal", "m", b""],
        [1.0, 3, "m", b""],
        ["now", "info", "m", b""],
        [1.0, "info", None, b""],
        [1.0, "info", "m", {"a": 1}],
        [1.0],
        "line",
        None,
    ],
)
def test_lines_that_are_none(line: object) -> None:
    frame = ["reply", 1, "ok", b"1", "", False, "", "", [line], 0, 0]
    with pytest.raises(FrameError):
        parse_reply(msgspec.msgpack.encode(frame), nonce=1)


def test_lines_that_claim_to_be_billions() -> None:
    head = b"\x9b" + msgspec.msgpack.encode(["reply", 1, "ok", b"1", "", False, "", ""])[1:]
    with pytest.raises(FrameError):
        parse_reply(head + b"\xdd\xff\xff\xff\xff", nonce=1)


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


REPLY = pack(ReplyFrame(1, "ok", result=b"1"))


@pytest.mark.asyncio(loop_scope="session")
async def test_an_honest_reply_in_two_pieces(impostor: Impostor) -> None:
    asked = impostor.ask()
    await asyncio.sleep(0)
    impostor.theirs.send(REPLY[:6])
    impostor.theirs.send(REPLY[6:])
    assert await asked == REPLY[HEADER.size :]
    assert impostor.link.alive


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("said", [HEADER.pack(2000), REPLY + b"x", REPLY + REPLY], ids=["huge", "more", "twice"])
async def test_a_broken_reply_ends_the_worker(impostor: Impostor, said: bytes) -> None:
    asked = impostor.ask()
    await asyncio.sleep(0)
    impostor.theirs.send(said)
    with pytest.raises(WorkerEndedError) as ended:
        await asked
    assert (ended.value.reason, ended.value.started) == ("broken", True)
    assert not impostor.link.alive


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(("said", "reason"), [(b"x", "broken"), (b"", "died")])
async def test_a_word_or_an_end_while_idle_ends_the_worker(impostor: Impostor, said: bytes, reason: str) -> None:
    ended = asyncio.get_running_loop().create_future()
    impostor.link.on_end = ended.set_result
    act: Callable[[], object] = (lambda: impostor.theirs.send(said)) if said else impostor.theirs.close
    act()
    assert await asyncio.wait_for(ended, 10) is impostor.link
    with pytest.raises(WorkerEndedError) as refused:
        await impostor.ask()
    assert (refused.value.reason, refused.value.started) == (reason, False)


@pytest.mark.asyncio(loop_scope="session")
async def test_descriptors_sent_along_are_not_taken(impostor: Impostor) -> None:
    before = open_descriptors()
    asked = impostor.ask()
    await asyncio.sleep(0)
    socket.send_fds(impostor.theirs, [REPLY], [0, 1, 2])
    await asked
    assert open_descriptors() == before


@pytest.mark.asyncio(loop_scope="session")
async def test_a_request_that_is_not_read_meets_its_deadline(impostor: Impostor) -> None:
    with pytest.raises(WorkerEndedError) as ended:
        await impostor.link.exchange(b"x" * 10_000_000, limit_bytes=1000, timeout_s=0.1)
    assert (ended.value.reason, ended.value.started) == ("deadline", False)
