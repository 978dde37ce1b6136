"""The load client: its own process, one keep-alive HTTP/1.1 connection for each call in flight.

The same for every contender that speaks HTTP. Prints one JSON line, a Sample. It understands only what the contenders
send: a status line and a Content-Length.
"""

import argparse
import asyncio
import gc
import resource
import sys
import time
from array import array
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import uvloop

from bench import sign
from bench.sample import summarize

ERROR_LIMIT = 50
CALL_LIMIT_S = 60.0


class Job:
    """What is to be sent, when to stop, and everything the connections saw."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.signed = sign.Signing(arguments.url, arguments.body.encode(), arguments.sign) if arguments.sign else None
        self.request = build_request(arguments)
        self.expect = arguments.expect.encode()
        self.status = arguments.status
        self.remaining: int = arguments.count or sys.maxsize
        self.warm_ns = int(arguments.warm * 1e9)
        self.window_ns = int(arguments.seconds * 1e9)
        self.counted = bool(arguments.count)
        self.pause_s: float = arguments.pause
        self.latencies = array("q")
        self.task_ids: list[str] | None = [] if arguments.ids else None
        self.served = self.errors = self.from_ns = self.last_ns = 0
        self.first_error = ""

    def may_send(self, now: int) -> bool:
        """Whether another call is to be started at `now`; takes it off what remains."""
        if (
            self.remaining <= 0
            or self.errors >= ERROR_LIMIT
            or (not self.counted and now >= self.from_ns + self.window_ns)
        ):
            return False
        self.remaining -= 1
        return True

    def saw(self, sent: int, now: int, status: int, body: bytes) -> None:
        """One answer. Calls that end in the warm-up or after the window are checked but not timed."""
        self.served += 1
        if status != self.status or self.expect not in body:
            self.errors += 1
            self.first_error = self.first_error or f"{status} {body[:300].decode(errors='replace')}"
        elif self.counted or self.from_ns <= now < self.from_ns + self.window_ns:
            self.latencies.append(now - sent)
            self.last_ns = now
            if self.task_ids is not None:
                self.task_ids.append(msgspec.json.decode(body)["task_id"])

    def save_ids(self, path: str) -> None:
        """One id a line, when they were asked for."""
        if self.task_ids is not None:
            Path(path).write_text("\n".join(self.task_ids))


class Connection(asyncio.Protocol):
    """One call at a time, the next as soon as the last is answered."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.buffer = b""
        self.sent = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]
        self.send(time.perf_counter_ns())

    def send(self, now: int) -> None:
        if not self.job.may_send(now):
            self.transport.close()
            return
        self.sent = time.perf_counter_ns()
        signed = self.job.signed
        self.transport.write(self.job.request if signed is None else signed.request())

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        answer = parse(self.buffer)
        if answer is not None:
            now = time.perf_counter_ns()
            self.buffer = b""
            self.sent, sent = 0, self.sent
            self.job.saw(sent, now, *answer)
            if self.job.pause_s:
                asyncio.get_running_loop().call_later(self.job.pause_s, self._send_now)
            else:
                self.send(now)

    def _send_now(self) -> None:
        self.send(time.perf_counter_ns())

    def connection_lost(self, error: Exception | None) -> None:
        if self.sent:
            self.job.errors += 1
            self.job.first_error = self.job.first_error or f"connection lost: {error}"
        if not self.done.done():
            self.done.set_result(None)


def build_request(arguments: argparse.Namespace) -> bytes:
    """The bytes of the one request that is sent again and again, unless each is signed."""
    where = urlsplit(arguments.url)
    body: bytes = arguments.body.encode()
    head = (
        f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nAuthorization: Bearer {arguments.token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def parse(data: bytes) -> tuple[int, bytes] | None:
    """Status and body of a whole answer; None while part of it is missing."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = data[:end].lower() + b"\r\n"
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        raise ValueError(f"an answer without Content-Length: {head!r}")
    length = int(head[at + 17 : head.find(b"\r\n", at + 17)])
    body = data[end + 4 :]
    return (int(data[9:12]), body) if len(body) >= length else None


async def run(arguments: argparse.Namespace) -> bytes:
    """Send the load; the Sample as JSON."""
    job = Job(arguments)
    where = urlsplit(arguments.url)
    started = time.perf_counter_ns()
    job.from_ns = started + job.warm_ns
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(lambda: Connection(job), where.hostname, where.port)
        for _ in range(arguments.in_flight)
    ]
    limit_s = CALL_LIMIT_S + arguments.warm + (600.0 if job.counted else arguments.seconds)
    async with asyncio.timeout(limit_s):
        await asyncio.gather(*(connection.done for _, connection in pairs))
    wall_ns = time.perf_counter_ns() - started
    seconds = (job.last_ns - started if job.counted else job.window_ns) / 1e9
    used = resource.getrusage(resource.RUSAGE_SELF)
    sample = summarize(
        job.latencies,
        seconds=max(seconds, 1e-9),
        served=job.served,
        client_cpu=(used.ru_utime + used.ru_stime) / (wall_ns / 1e9),
    )
    job.save_ids(arguments.ids)
    return msgspec.json.encode(msgspec.structs.replace(sample, errors=job.errors, first_error=job.first_error))


def main() -> None:
    """Read the command line, send, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.load")
    parser.add_argument("--url", required=True)
    parser.add_argument("--token", default="")
    parser.add_argument("--body", required=True)
    parser.add_argument("--expect", default="", help="text every answer must contain")
    parser.add_argument("--status", type=int, default=200)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--warm", type=float, default=0.0)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between an answer and the next call")
    parser.add_argument("--count", type=int, default=0, help="send this many instead of for --seconds")
    parser.add_argument("--sign", default="", help="secret of Standard Webhooks: each request is a delivery of its own")
    parser.add_argument("--ids", default="", help="file for the task ids of the answers")
    arguments = parser.parse_args()
    gc.freeze()
    gc.disable()  # a pause of the client would be read as a slow answer
    print(uvloop.run(run(arguments)).decode())


if __name__ == "__main__":
    main()
