"""Clients of the realtime channel: a process of its own with many sockets, each with one frame in flight, or none.

With `--seconds` it prints one JSON line, a Sample of frames and their replies; with `--hold` it says when all sockets
are open, and keeps them until it is ended. It understands only what the service sends: whole text frames and pings.
"""

import argparse
import asyncio
import base64
import gc
import os
import resource
import struct
import time
from array import array
from urllib.parse import urlsplit

import msgspec
import uvloop

from bench.sample import summarize

FRAME = b'{"type":"event","event":"bench","payload":{"amount":100,"rate":0.08}}'
REPLY = b'"type":"event_response"'
CONNECTED = b'"type":"connected"'
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
SHORT, MIDDLE = 126, 127
OPEN_AT_ONCE = 100
OPEN_S = 60.0
LAST_S = 60.0


def masked(opcode: int, data: bytes) -> bytes:
    """A client's frame; the mask is zero, which leaves the bytes as they are."""
    size = len(data)
    length = bytes([0x80 | size]) if size < SHORT else struct.pack("!BH", 0x80 | SHORT, size)
    return bytes([0x80 | opcode]) + length + bytes(4) + data


ASK = masked(TEXT, FRAME)


class Job:
    """What all sockets saw."""

    def __init__(self, *, warm_s: float, seconds: float) -> None:
        self.from_ns = time.perf_counter_ns() + int(warm_s * 1e9)
        self.until_ns = self.from_ns + int(seconds * 1e9)
        self.latencies = array("q")
        self.served = self.errors = 0
        self.first_error = ""

    def saw(self, sent: int, now: int, reply: bytes) -> None:
        """One reply; those of the warm-up and after the window are checked, not timed."""
        self.served += 1
        if REPLY not in reply:
            self.fault(reply[:300].decode(errors="replace"))
        elif self.from_ns <= now < self.until_ns:
            self.latencies.append(now - sent)

    def fault(self, what: str) -> None:
        """Something else than a reply."""
        self.errors += 1
        self.first_error = self.first_error or what


class Socket(asyncio.Protocol):
    """One socket: `opened` when the service has said hello, `done` when it was closed."""

    def __init__(self, request: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.request = request
        self.buffer = b""
        self.upgraded = False
        self.opened: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()
        self.job: Job | None = None
        self.sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self.transport.write(self.request)

    def begin(self, job: Job) -> None:
        """Send the first frame."""
        self.job = job
        self._send()

    def _send(self) -> None:
        self.sent = time.perf_counter_ns()
        self.transport.write(ASK)

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        if not self.upgraded:
            end = self.buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self.buffer.startswith(b"HTTP/1.1 101"):
                self._fail(self.buffer[:200].decode(errors="replace"))
                return
            self.upgraded, self.buffer = True, self.buffer[end + 4 :]
        while (frame := self._frame()) is not None:
            self._heard(*frame)

    def _frame(self) -> tuple[int, bytes] | None:
        data = self.buffer
        if len(data) < 2:
            return None
        size, at = data[1] & 0x7F, 2
        if size == SHORT:
            size, at = int.from_bytes(data[2:4]), 4
        elif size == MIDDLE:
            size, at = int.from_bytes(data[2:10]), 10
        if len(data) < at + size:
            return None
        self.buffer = data[at + size :]
        return data[0] & 0x0F, data[at : at + size]

    def _heard(self, opcode: int, data: bytes) -> None:
        if opcode == PING:
            self.transport.write(masked(PONG, data))
        elif opcode == CLOSE:
            self._fail(f"closed: {data!r}")
        elif opcode == TEXT and CONNECTED in data:
            self.opened.set_result(None)
        elif opcode == TEXT and self.job is not None and self.sent and b"heartbeat" not in data[:30]:
            now, sent = time.perf_counter_ns(), self.sent
            self.sent = 0
            self.job.saw(sent, now, data)
            if now < self.job.until_ns and not self.job.errors:
                self._send()
            else:
                self.transport.close()

    def _fail(self, what: str) -> None:
        if not self.opened.done():
            self.opened.set_exception(RuntimeError(what))
        elif self.job is not None:
            self.job.fault(what)
        self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self.sent and self.job is not None:
            self.job.fault(f"connection lost: {error}")
        if not self.opened.done():
            self.opened.set_exception(RuntimeError(f"connection lost: {error}"))
        if not self.done.done():
            self.done.set_result(None)


def handshake(url: str, token: str) -> bytes:
    """The bytes of the upgrade."""
    where = urlsplit(url)
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()


async def opened(arguments: argparse.Namespace) -> list[Socket]:
    """All sockets, open, some at a time."""
    where = urlsplit(arguments.url)
    request = handshake(arguments.url, arguments.token)
    loop = asyncio.get_running_loop()
    sockets: list[Socket] = []
    async with asyncio.timeout(OPEN_S):
        while len(sockets) < arguments.sockets:
            room = min(OPEN_AT_ONCE, arguments.sockets - len(sockets))
            made = [loop.create_connection(lambda: Socket(request), where.hostname, where.port) for _ in range(room)]
            some = [socket for _, socket in await asyncio.gather(*made)]
            await asyncio.gather(*(socket.opened for socket in some))
            sockets += some
    return sockets


async def run(arguments: argparse.Namespace) -> None:
    """Open, then hold or load."""
    sockets = await opened(arguments)
    if arguments.hold:
        print(msgspec.json.encode({"open": str(len(sockets))}).decode(), flush=True)
        await asyncio.gather(*(socket.done for socket in sockets))
        return
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    job = Job(warm_s=arguments.warm, seconds=arguments.seconds)
    for socket in sockets:
        socket.begin(job)
    async with asyncio.timeout(arguments.warm + arguments.seconds + LAST_S):
        await asyncio.gather(*(socket.done for socket in sockets))
    used, took = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - started
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    sample = summarize(job.latencies, seconds=arguments.seconds, served=job.served, client_cpu=cpu / took)
    print(msgspec.json.encode(msgspec.structs.replace(sample, errors=job.errors, first_error=job.first_error)).decode())


def main() -> None:
    """Read the command line, run."""
    parser = argparse.ArgumentParser(prog="python -m bench.socket_load")
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--sockets", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--warm", type=float, default=0.0)
    parser.add_argument("--hold", action="store_true")
    arguments = parser.parse_args()
    gc.freeze()
    gc.disable()  # a pause of the client would be read as a slow answer
    uvloop.run(run(arguments))


if __name__ == "__main__":
    main()
