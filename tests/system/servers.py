"""Other people's servers, real ones: for mail and for messages. They do as the recipient's name says."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """An aiosmtpd handler. `busy…` is told to come again twice, `gone…` is not known here, `late…` fails at the end."""

    def __init__(self) -> None:
        self.received: list[tuple[list[str], bytes]] = []
        self.asked: Counter[str] = Counter()

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, to: str, _options: Any) -> str:  # noqa: N802 - the server looks for this name
        self.asked[to] += 1
        if to.startswith("busy") and self.asked[to] <= 2:
            return "451 Come again"
        if to.startswith("gone"):
            return "550 No such user"
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - likewise
        if any(to.startswith("late") for to in envelope.rcpt_tos):
            return "554 Not this content"
        assert isinstance(envelope.content, bytes)
        self.received.append((list(envelope.rcpt_tos), envelope.content))
        return "250 Kept"

    def message_to(self, address: str) -> EmailMessage:
        """The one message that came for this address."""
        (found,) = [content for to, content in self.received if address in to]
        message = message_from_bytes(found, policy=policy.default)
        assert isinstance(message, EmailMessage)
        return message


class _AnyPort(Controller):
    """A controller that finds out which free port it was given, before it looks whether its server answers there."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server(**options: Any) -> Iterator[tuple[Mailbox, int]]:
    """A mail server on a free port of this machine."""
    mailbox = Mailbox()
    controller = _AnyPort(mailbox, hostname="127.0.0.1", port=0, **options)
    controller.start()
    try:
        yield mailbox, controller.port
    finally:
        controller.stop()


class Posted(msgspec.Struct):
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: Any


@contextmanager
def provider() -> Iterator[tuple[list[Posted], str]]:
    """An HTTP server: it accepts everything, but for a text of `busy` (503 twice) or `wrong` (400)."""
    posted: list[Posted] = []
    counts: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = msgspec.json.decode(self.rfile.read(int(self.headers["content-length"])))
            posted.append(Posted(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            counts[body["text"]] += 1
            status = 400 if body["text"] == "wrong" else 200
            if body["text"] == "busy" and counts["busy"] <= 2:
                status = 503
            answer = msgspec.json.encode({"queued": len(body["to"])} if status == 200 else {"fault": body["text"]})
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_parts: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield posted, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
