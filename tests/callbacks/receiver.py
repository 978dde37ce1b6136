"""Somebody who is called back: a real HTTP server, which does what the path of the request says."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Posted(NamedTuple):
    """A request that came; `headers` in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class Receiver:
    """What came. `/503x2/…` answers 503 twice before 200, `/hangx1/…` once not at all, `/410x9/…` as it reads."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.posted: list[Posted] = []
        self.counts: Counter[str] = Counter()
        self.headers: dict[int, dict[str, str]] = {}  # that go with an answer of a status
        self.news = threading.Condition()
        self.over = threading.Event()

    def url(self, name: str, *, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}/{name}"

    def of(self, name: str) -> list[Posted]:
        """What came for a path, in the order of its coming."""
        return [one for one in list(self.posted) if one.path == f"/{name}"]

    def came(self, posted: Posted) -> int | None:
        """The status to answer, None for no answer."""
        with self.news:
            self.posted.append(posted)
            self.counts[posted.path] += 1
            self.news.notify_all()
        told, _, times = posted.path.split("/")[1].partition("x")
        if not times.isdigit() or self.counts[posted.path] > int(times):
            return 200
        return None if told == "hang" else int(told)

    def wait(self, name: str, count: int = 1, *, within_s: float = 30.0) -> list[Posted]:
        """The first so many for a path. Blocks."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.of(name)) >= count, within_s), f"{len(self.of(name))} came"
        return self.of(name)


class _Server(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    """A receiver on this port of this machine, any that is free unless one is named."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.came(Posted(self.path, headers, body, time.time()))
            if status is None:
                receiver.over.wait()
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in receiver.headers.get(status, {}).items():
                self.send_header(name, value)
            self.send_header("content-length", "4")
            self.end_headers()
            self.wfile.write(b"seen")

        def log_message(self, *_parts: object) -> None:
            return

    server = _Server(("127.0.0.1", port), Handler)
    receiver = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def verified(posted: Posted, secret: str) -> bool:
    """Whether one of the signatures is by this secret: as the specification has it, by nobody's code but this."""
    key = base64.b64decode(secret[len("whsec_") :], validate=True)
    text = b".".join([posted.id.encode(), posted.headers["webhook-timestamp"].encode(), posted.body])
    expected = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return any(
        hmac.compare_digest(expected, one.removeprefix("v1,")) for one in posted.headers["webhook-signature"].split(" ")
    )
