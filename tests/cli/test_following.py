"""Streams that break: they go on from where they were, and what will not be otherwise later ends them."""

import asyncio
from itertools import islice

import pytest

from cli import contexts, events, exits
from cli.remote import Remote
from tests.hooks import Hook, Received, always, response, serving

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nDate: Tue, 06 Jan 2026 09:00:00 GMT\r\n"
    b"Connection: close\r\n\r\n: following\n\n"
)


async def followed(hook: Hook, count: int, *, last: str = "") -> list[events.Event]:
    def take() -> list[events.Event]:
        remote = Remote(contexts.Context(hook.url, "t"))
        try:
            return list(islice(events.following(remote, "/stream", last=last, lines="true"), count))
        finally:
            remote.close()

    async with asyncio.timeout(30):
        return await asyncio.to_thread(take)


async def test_after_a_break_it_goes_on_behind_the_last_event(capfd: pytest.CaptureFixture[str]):
    parts = [
        HEAD + b"id: 7\nevent: log\ndata: {}\n\n",
        response(503),
        HEAD + b"id: 8\nevent: log\ndata: 1\ndata: 2\n\n",
    ]

    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(parts[len(hook.received) - 1])
        await writer.drain()
        writer.close()

    async with serving() as hook:
        hook.answer = answer
        found = await followed(hook, 4)
    assert found == [
        events.Event(events.OPENED),
        events.Event("log", "{}", "7"),
        events.Event(events.OPENED),
        events.Event("log", "1\n2", "8"),
    ]
    assert [one.headers.get("last-event-id") for one in hook.received] == [None, "7", "7"]
    assert hook.received[0].path == "/stream?lines=true"
    assert hook.received[0].headers["authorization"] == "Bearer t"
    assert capfd.readouterr().err.count("again in") == 2


async def test_what_ends_in_a_break_before_any_event_is_asked_for(capfd: pytest.CaptureFixture[str]):
    async def answer(_: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        await writer.drain()
        writer.close()

    async with serving() as hook:
        hook.answer = answer
        await followed(hook, 2)
    assert hook.received[1].headers["last-event-id"] == "2026-01-06T09:00:00+00:00"
    assert "the server has ended the stream" in capfd.readouterr().err


async def test_a_refusal_ends_it():
    async with serving() as hook:
        hook.answer = always(response(401, b'{"error": {"message": "The token is not known."}}'))
        with pytest.raises(exits.Fault, match="The token is not known") as caught:
            await followed(hook, 1)
    assert caught.value.code == exits.FORBIDDEN
    assert len(hook.received) == 1


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (400, b'{"error": "params must be an object"}', exits.REFUSED, "params must be an object"),
        (401, b'{"detail": "Not authenticated"}', exits.FORBIDDEN, "Not authenticated (`shoal context add`"),
        (403, b'{"error": {"message": "No.", "remediation": "Ask."}}', exits.FORBIDDEN, "No. (ask an administrator"),
        (404, b'{"error": "Function not found"}', exits.NOT_FOUND, "Function not found (`shoal ps"),
        (404, b'{"error": "Task not found"}', exits.NOT_FOUND, "Task not found"),
        (409, b"{}", exits.REFUSED, "the server answers 409"),
        (413, b"no json", exits.REFUSED, "the server answers 413"),
        (422, b'{"detail": [{"loc": ["body"]}]}', exits.REFUSED, "body"),
        (429, b'{"error": "slowly"}', exits.UNAVAILABLE, "slowly (try again later)"),
        (500, b"[]", exits.UNAVAILABLE, "the server answers 500"),
        (503, b'{"error": "a\\nb"}', exits.UNAVAILABLE, "a b (try again later)"),
    ],
)
def test_errors_of_all_dialects_are_one_line_and_a_code(status: int, body: bytes, code: int, said: str):
    fault = exits.refused(status, body)
    assert fault.code == code
    assert said in str(fault)
    assert "\n" not in str(fault)
    assert str(exits.refused(429, b"{}", retry_after="7")).endswith("(try again in 7 s)")
    told = b'{"error": "60 requests a minute. Try again in 35 s."}'
    assert str(exits.refused(429, told, retry_after="35")) == "60 requests a minute. Try again in 35 s."


async def test_redirects_are_not_followed():
    async with serving() as hook:
        hook.answer = always(response(301, b"", Location="https://elsewhere.example.org/"))
        remote = Remote(contexts.Context(hook.url, "t"))
        with pytest.raises(exits.Fault, match="leads to https://elsewhere"):
            await asyncio.to_thread(remote.get, "/x")
        remote.close()
    assert len(hook.received) == 1
