"""Responses and questions of a worker that may say anything: what no honest one says ends it, and nothing is asked."""

import asyncio
from typing import Any

import msgspec
import pytest

from services.executor.mode import Call
from services.executor.modes.python.frames import (
    HEADER,
    AnswerFrame,
    ClaimFrame,
    FrameError,
    HeadFrame,
    InvokeFrame,
    NeedFrame,
    PublishFrame,
    ReplyFrame,
    pack,
    parse_reply,
)
from services.executor.modes.python.outcomes import outcome_of
from services.executor.modes.python.talk import Talk
from services.executor.modes.python.worker_link import WorkerEndedError
from shared.domain.outcome import Usage
from tests.limits import limits
from tests.python_mode.asking import PlayedHost
from tests.python_mode.impostor import Impostor

ROOMY = limits(output_bytes=1000, log_lines=2, result_bytes=5000)
REPLY = pack(ReplyFrame(1, "ok", result=b"1"))
OK_HEAD = HeadFrame(200, [("a", "b")])


@pytest.mark.parametrize(
    "reply",
    [
        ReplyFrame(1, "ok", head=HeadFrame(100, [])),
        ReplyFrame(1, "ok", head=HeadFrame(1000, [])),
        ReplyFrame(1, "ok", head=HeadFrame(-200, [])),
        ReplyFrame(1, "ok", result=b"x", head=HeadFrame(204, [])),
        ReplyFrame(1, "ok", head=HeadFrame(200, [("a\r\nb", "c")])),
        ReplyFrame(1, "ok", head=HeadFrame(200, [("a", "c\r\nset-cookie: d")])),
        ReplyFrame(1, "ok", head=HeadFrame(200, [("a", "\u0441")])),
        ReplyFrame(1, "ok", head=HeadFrame(200, [("", "c")])),
        ReplyFrame(1, "ok", head=HeadFrame(200, [("Content-Length", "5")])),
        ReplyFrame(1, "ok", head=HeadFrame(200, [("transfer-encoding", "chunked")])),
        ReplyFrame(1, "ok", head=HeadFrame(200, [("a", "b")] * 101)),
        ReplyFrame(1, "ok", head=HeadFrame(200, [("a", "b" * 17_000)])),
        ReplyFrame(1, "ok", result=b"x" * 5001, head=OK_HEAD),
        ReplyFrame(
            1, "ok", result=b"[" * 900 + b"]" * 900, head=HeadFrame(200, [("content-type", "application/json")])
        ),
    ],
)
def test_responses_that_no_honest_worker_sends(reply: ReplyFrame) -> None:
    said = parse_reply(pack(reply)[HEADER.size :], nonce=1)
    assert isinstance(said, ReplyFrame)
    with pytest.raises(FrameError):
        outcome_of(said, ROOMY, Usage())


def test_a_failed_reply_has_no_response() -> None:
    assert outcome_of(ReplyFrame(1, "failed", head=OK_HEAD), ROOMY, Usage()).response is None


@pytest.mark.parametrize(
    "question",
    [
        InvokeFrame(1, "", "POST", [], b""),
        InvokeFrame(1, "x" * 201, "POST", [], b""),
        InvokeFrame(1, "x", "post", [], b""),
        InvokeFrame(1, "x", "GET / HTTP/1.1\r\n", [], b""),
        InvokeFrame(1, "x", "POST", [("a", "b\n")], b""),
        InvokeFrame(1, "x", "POST", [("content-length", "1")], b""),
        InvokeFrame(1, "x", "POST", [("a", "b")] * 101, b""),
        InvokeFrame(1, "x", "POST", [], b"x" * 1001),
        InvokeFrame(2, "x", "POST", [], b""),
        ClaimFrame(1, "", "s", 1.0),
        ClaimFrame(1, "k" * 256, "s", 1.0),
        ClaimFrame(1, "k", "s" * 256, 1.0),
        ClaimFrame(1, "k", "s", 0.0),
        ClaimFrame(1, "k", "s", float("nan")),
        ClaimFrame(1, "k", "s", float("inf")),
        ClaimFrame(2, "k", "s", 1.0),
        PublishFrame(1, "", "", b"1"),
        PublishFrame(1, "c" * 201, "", b"1"),
        PublishFrame(1, "a\n", "", b"1"),
        PublishFrame(1, "c", "e\n", b"1"),
        PublishFrame(1, "c", "", b"1" * 65_537),
        PublishFrame(2, "c", "", b"1"),
        NeedFrame(2, "env"),
        ["need", 1, "secrets"],
        ["need", 1, None],
        ["invoke", 1, "x", "POST", [["a"]], b""],
        ["invoke", 1, 5, "POST", [], b""],
        ["claim", 1, "k", "s", "long"],
        ["ask", 1],
        ["answer", "", None],
    ],
)
async def test_questions_that_no_honest_worker_asks(question: Any) -> None:
    host = PlayedHost()
    payload = msgspec.msgpack.encode(question)
    with pytest.raises(FrameError):
        Talk(call_with(host), 1).hear(payload)
    assert host.asked == []


def call_with(host: PlayedHost) -> Call:
    return Call(
        task_id="task",
        tenant="acme",
        function_id=1,
        code_hash="c",
        params=b"{}",
        context={},
        limits=limits(params_bytes=1000),
        host=host,
    )


@pytest.mark.asyncio(loop_scope="session")
async def test_a_question_is_answered_and_then_comes_the_reply(impostor: Impostor) -> None:
    talk = Talk(call_with(PlayedHost({"A": "b"})), 1)
    asked = impostor.ask(answering=talk.hear)
    await asyncio.sleep(0)
    impostor.theirs.send(pack(NeedFrame(1, "env")))
    expected = b"request" + pack(AnswerFrame(env={"A": "b"}))
    answer = b""
    async with asyncio.timeout(10):
        while len(answer) < len(expected):
            answer += await asyncio.get_running_loop().sock_recv(impostor.theirs, 65536)
    assert answer == expected
    impostor.theirs.send(REPLY)
    await asked
    assert talk.reply.result == b"1"


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("said", [REPLY, pack(NeedFrame(1, "env")), b"x"], ids=["reply", "question", "byte"])
async def test_a_word_before_the_answer_ends_the_worker(impostor: Impostor, said: bytes) -> None:
    host = PlayedHost()
    asked = impostor.ask(answering=Talk(call_with(host), 1).hear)
    await asyncio.sleep(0)
    impostor.theirs.send(pack(InvokeFrame(1, "slow", "POST", [], b"")))
    await asyncio.wait_for(host.waits.wait(), 10)
    impostor.theirs.send(said)
    with pytest.raises(WorkerEndedError) as ended:
        await asked
    assert (ended.value.reason, ended.value.started, host.cancelled) == ("broken", True, True)
