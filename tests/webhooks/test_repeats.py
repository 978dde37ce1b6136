"""The same delivery again: at once from many, after a success, after a failure, and while it is waited for."""

import asyncio
import uuid

import httpx
import pytest

from tests.webhooks.receiver import SECRET, WITHIN_S, Receiver, standard, told

SENDERS = 20
# Fails for the first time it is asked for a body, and for the second one not.
FAILS_ONCE = """
def handler(request, ctx):
    if ctx.idempotency.claim(request.body.hex()):
        {failing}
    return {{"ok": "at last"}}
"""
RAISES = FAILS_ONCE.format(failing='raise ValueError("no")')
ANSWERS = FAILS_ONCE.format(failing='return Response({"error": "no"}, status=503, headers={"X-Own": "a"})')
WAITS = """
import time
def handler(request, ctx):
    time.sleep(1.5)
    return {"ok": "done"}
"""
STREAM = """
export default async function handler(request) {
  const parts = ["a", "\\u00fc", "c".repeat(%d)]
  const stream = new ReadableStream({pull(to) {
    parts.length ? to.enqueue(new TextEncoder().encode(parts.shift())) : to.close()
  }})
  return new Response(stream, {status: 201, headers: {"x-own": "b"}})
}
"""


async def test_twenty_senders_at_once_set_off_one_run(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret=SECRET)
    body, lines = b'{"n":1}', standard(b'{"n":1}', id="msg_once")
    answers = await asyncio.gather(*(receiver.send(hook, body, **lines) for _ in range(SENDERS)))
    said = [told(answer, 200) for answer in answers]
    assert sorted(one["duplicate"] for one in said) == [False] + [True] * (SENDERS - 1)
    assert len({one["task_id"] for one in said}) == 1
    assert {answer.headers["x-invocation-id"] for answer in answers} == {said[0]["task_id"]}
    await receiver.send(hook, b"last", **standard(b"last"))
    assert len(await receiver.logs(hook, 2)) == 2


async def test_one_name_at_two_functions_is_two_deliveries(receiver: Receiver) -> None:
    lines = standard(b"{}", id="msg_both")
    for name in ("one", "two"):
        hook = await receiver.deploy(name, secret=SECRET)
        assert told(await receiver.send(hook, b"{}", **lines), 200)["duplicate"] is False


@pytest.mark.parametrize("code", [RAISES, ANSWERS], ids=["raises", "answers with an error"])
async def test_one_whose_run_failed_runs_again(receiver: Receiver, code: str) -> None:
    hook = await receiver.deploy(code=code, secret=SECRET)
    body = uuid.uuid4().bytes
    lines = standard(body)
    first = told(await receiver.send(hook, body, **lines), 200)
    await receiver.logs(hook, 1)
    again = told(await receiver.send(hook, body, **lines), 200)
    assert (again["duplicate"], again["task_id"] == first["task_id"]) == (False, False)
    entries = await receiver.logs(hook, 2)
    assert entries[0]["task_id"] == again["task_id"]
    last = told(await receiver.send(hook, body, **lines), 200)
    assert last == {"ok": True, "duplicate": True, "task_id": again["task_id"]}


class TestTheSenderWaits:
    async def test_the_handlers_own_answer_is_the_answer(self, receiver: Receiver) -> None:
        code = """
def handler(request):
    return Response("gr\\u00fc\\u00df", status=207, headers={"X-Own": "a", "Content-Type": "text/x; charset=utf-8"})
"""
        hook = await receiver.deploy(code=code, secret=SECRET, mode="sync")
        answer = await receiver.send(hook, b"{}", **standard(b"{}"))
        assert (answer.status_code, answer.content) == (207, "grüß".encode())
        assert (answer.headers["x-own"], answer.headers["content-type"]) == ("a", "text/x; charset=utf-8")
        (entry,) = await receiver.logs(hook, 1)
        assert answer.headers["x-invocation-id"] == entry["task_id"]

    @pytest.mark.parametrize("code", [RAISES, ANSWERS], ids=["raises", "answers with an error"])
    async def test_one_that_failed_runs_again_at_once(self, receiver: Receiver, code: str) -> None:
        """The record may not know yet that it has failed: its sender knows, and tries again."""
        hook = await receiver.deploy(code=code, secret=SECRET, mode="sync")
        for number in range(10):
            body = f"{number} {uuid.uuid4()}".encode()
            lines = standard(body)
            failed = await receiver.send(hook, body, **lines)
            assert failed.status_code == (500 if code == RAISES else 503)
            assert told(await receiver.send(hook, body, **lines), 200) == {"ok": "at last"}
            assert told(await receiver.send(hook, body, **lines), 200)["duplicate"] is True

    async def test_a_repetition_does_not_wait(self, receiver: Receiver) -> None:
        hook = await receiver.deploy(code=WAITS, secret=SECRET, mode="sync")
        lines = standard(b"{}")
        both = {asyncio.create_task(receiver.send(hook, b"{}", **lines)) for _ in range(2)}
        done, waiting = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED, timeout=WITHIN_S)
        assert (len(done), len(waiting)) == (1, 1)
        repeated, answered = await done.pop(), await waiting.pop()
        assert told(repeated, 200)["duplicate"] is True
        assert told(answered, 200) == {"ok": "done"}
        assert repeated.headers["x-invocation-id"] == answered.headers["x-invocation-id"]

    async def test_a_sender_that_goes_stops_nothing(self, receiver: Receiver) -> None:
        hook = await receiver.deploy(code=WAITS, secret=SECRET, mode="sync")
        lines = standard(b"{}")
        with pytest.raises(httpx.ReadTimeout):
            await receiver.anyone.post(
                hook.path, content=b"{}", headers={n.replace("_", "-"): v for n, v in lines.items()}, timeout=0.7
            )
        (entry,) = await receiver.logs(hook, 1)
        assert entry["status_code"] == 200
        assert told(await receiver.send(hook, b"{}", **lines), 200)["duplicate"] is True

    async def test_one_that_takes_too_long_is_504(self, receiver: Receiver) -> None:
        hook = await receiver.deploy(code=WAITS, timeout_ms=300, secret=SECRET, mode="sync")
        lines = standard(b"{}")
        answer = told(await receiver.send(hook, b"{}", **lines), 504)
        assert answer["error"] == "function_timeout"
        assert told(await receiver.send(hook, b"{}", **lines), 504)["error"] == "function_timeout"

    async def test_an_answer_in_parts_is_told_when_it_is_whole(self, receiver: Receiver) -> None:
        hook = await receiver.deploy(code=STREAM % 100_000, runtime="javascript", secret=SECRET, mode="sync")
        answer = await receiver.send(hook, b"{}", **standard(b"{}"))
        assert (answer.status_code, answer.headers["x-own"]) == (201, "b")
        assert answer.text == "aü" + "c" * 100_000
        assert answer.headers["content-length"] == str(len(answer.content))

    async def test_an_answer_in_parts_is_bounded(self, receiver: Receiver) -> None:
        hook = await receiver.deploy(code=STREAM % (5 << 20), runtime="javascript", secret=SECRET, mode="sync")
        answer = await receiver.send(hook, b"{}", **standard(b"{}"))
        assert "limit" in told(answer, 502)["error"]
