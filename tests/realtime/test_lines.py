"""Frames on the wire: what breaks the protocol, who does not answer, who does not read."""

import asyncio
import json
import socket
import struct

import pytest

from tests.realtime.clients import BINARY, CLOSE, PING, PONG, TEXT, event, framed
from tests.realtime.conftest import BACKLOG_BYTES, FRAME_BYTES, HEARTBEAT_S, IDLE_S, Room
from tests.realtime.scripts import echo, said

CONT = 0x0
BROKEN = {
    "binary": (framed(BINARY, b"x"), 1003),
    "no UTF-8": (framed(TEXT, b'"\xff"'), 1007),
    "no UTF-8 in pieces": (framed(TEXT, b'"\xc3', fin=False) + framed(CONT, b'"'), 1007),
    "too long": (framed(TEXT, b"x" * (FRAME_BYTES + 1)), 1009),
    "very much too long": (framed(TEXT, b"x" * (4 << 20)), 1009),
    "said to be too long": (struct.pack("!BBQ", 0x81, 0xFF, 1 << 40), 1009),
    "too long in pieces": (framed(TEXT, b"x" * FRAME_BYTES, fin=False) + framed(CONT, b"x"), 1009),
    "unmasked": (framed(TEXT, b"{}", masked=False), 1002),
    "unknown opcode": (framed(0x3, b""), 1002),
    "compressed": (framed(TEXT | 0x40, b"{}"), 1002),
    "a piece of nothing": (framed(CONT, b"x"), 1002),
    "a long ping": (framed(PING, b"x" * 126), 1002),
    "a close in pieces": (framed(CLOSE, b"", fin=False), 1002),
    "a close of one byte": (framed(CLOSE, b"x"), 1002),
    "a close with a code that is none": (framed(CLOSE, struct.pack("!H", 1005)), 1002),
    "bytes": (b"GET / HTTP/1.1\r\n\r\n", 1002),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_breaks_the_protocol_is_closed_with_its_code(room: Room, name: str):
    data, code = BROKEN[name]
    async with room.raw() as client, room.open() as other:
        client.writer.write(data)
        assert await client.closed() == code
        assert await other.ask('{"type":"ping"}') == {"type": "pong"}


async def test_the_longest_frame_is_taken(room: Room):
    await room.handle(echo, "chat")
    text = event("chat", "x" * (FRAME_BYTES - len(event("chat", ""))))
    assert len(text) == FRAME_BYTES
    async with room.open() as client:
        assert len((await client.ask(text))["data"]) == len(json.loads(text)["payload"])


async def test_what_came_before_a_fault_is_answered_or_at_least_run(room: Room):
    ran = asyncio.Event()
    await room.handle(lambda _: (ran.set(), said(1))[1], "chat")
    async with room.raw() as client:
        client.writer.write(framed(TEXT, event("chat").encode()) + framed(BINARY, b"x"))
        assert await client.closed() == 1003
    await asyncio.wait_for(ran.wait(), 20)


async def test_very_many_small_frames_at_once(room: Room):
    async with room.raw() as client:
        client.writer.write(framed(TEXT, b'{"type":"ping"}') * 5000 + framed(PING, b"") * 5000)
        for _ in range(5000):
            assert await client.message() == {"type": "pong"}


async def test_a_message_in_very_many_pieces(room: Room):
    async with room.raw() as client:
        client.write(TEXT, b'{"type":', fin=False)
        client.writer.write(framed(CONT, b"", fin=False) * 20_000)
        client.write(CONT, b'"ping"}')
        assert await client.message() == {"type": "pong"}


async def test_heartbeats_and_pings_come_by_themselves(room: Room):
    async with room.raw() as client:
        for _ in range(2):
            told = [await client.frame(), await client.frame()]
            assert told[0] == (TEXT, b'{"type":"heartbeat"}')
            assert told[1][0] == PING
            client.write(PONG, told[1][1])


async def test_a_client_that_answers_no_ping_is_closed(room: Room):
    async with room.raw() as client:
        assert await asyncio.wait_for(client.closed(), 4 * HEARTBEAT_S + 5) == 1011


async def test_a_peer_that_has_vanished_is_found(room: Room):
    """It reads nothing and says nothing, not even to a close."""
    async with room.raw() as client:
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport has it
        async with asyncio.timeout(20):
            while await room.is_kept(client):
                await asyncio.sleep(0.1)


async def test_a_client_that_says_nothing_for_long_is_closed(room: Room):
    async with room.open() as client, room.open() as listener:
        await listener.say('{"type":"subscribe","channel":"news"}')
        assert await listener.hear() == {"type": "subscribed", "channel": "news"}
        assert await client.closed() == (1000, f"No message for {IDLE_S:g} s")
        assert await listener.ask('{"type":"ping"}') == {"type": "pong"}


async def test_who_echoes_heartbeats_is_not_idle(room: Room):
    async with room.open() as client, room.open() as silent:
        ended = asyncio.create_task(silent.closed())
        while not ended.done():
            await client.say('{"type":"heartbeat"}')
            await asyncio.wait({ended}, timeout=0.5)
        assert await client.ask('{"type":"ping"}') == {"type": "pong"}


async def test_who_takes_too_little_of_what_is_pushed_is_closed(room: Room):
    """Long before the minute is over after which any client is cut off that takes nothing at all."""
    async with room.raw(limit=1024) as slow, room.open() as pusher:
        slow.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.write(TEXT, b'{"type":"subscribe","channel":"flood"}')
        assert await slow.message() == {"type": "subscribed", "channel": "flood"}
        message = json.dumps({"type": "publish", "channel": "flood", "payload": "x" * 60_000})
        async with asyncio.timeout(30):
            while await room.is_kept(slow):
                slow.write(PONG, b"")  # it lives, and is not silent
                assert (await pusher.ask(message))["type"] == "published"


async def test_large_answers_wait_until_they_are_taken(room: Room):
    await room.handle(lambda _: said("x" * (2 * BACKLOG_BYTES)), "large")
    async with room.raw() as client:
        for number in range(40):
            client.write(TEXT, event("large", id=number).encode())
        await asyncio.sleep(1)  # in which nothing is taken
        assert [(await client.message())["id"] for _ in range(40)] == list(range(40))
