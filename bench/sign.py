"""Deliveries signed by Standard Webhooks, each with an id of its own: what a sender of webhooks sends."""

import base64
import hashlib
import hmac
import os
import time
from itertools import count
from urllib.parse import urlsplit

PREFIX = "whsec_"


class Signing:
    """Makes requests to this address, with this body."""

    def __init__(self, url: str, body: bytes, secret: str) -> None:
        where = urlsplit(url)
        target = f"{where.path}?{where.query}" if where.query else where.path
        self._key = base64.b64decode(secret.removeprefix(PREFIX))
        self._body = body
        self._run = os.urandom(6).hex()
        self._numbers = count()
        self._head = (
            f"POST {target} HTTP/1.1\r\nHost: {where.netloc}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nwebhook-id: %s\r\nwebhook-timestamp: %d\r\n"
            "webhook-signature: v1,%s\r\n\r\n"
        )

    def request(self) -> bytes:
        """The next delivery."""
        id, now = f"msg_{self._run}_{next(self._numbers)}", int(time.time())
        signed = hmac.digest(self._key, b"%s.%d.%s" % (id.encode(), now, self._body), hashlib.sha256)
        return (self._head % (id, now, base64.b64encode(signed).decode())).encode() + self._body
