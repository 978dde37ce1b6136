"""What a process is told when it may not, or cannot: in the words of HTTP, and of RFC 9209 for whose answer it is."""

# Status, and the error of RFC 9209, by reason.
_ANSWERS = {
    "not a request": ("400 Bad Request", "http_request_error"),
    "no request in time": ("408 Request Timeout", "http_request_error"),
    "no pass": ("407 Proxy Authentication Required", "http_request_denied"),
    "not in the policy": ("403 Forbidden", "http_request_denied"),
    "not public": ("403 Forbidden", "destination_ip_prohibited"),
    "too many connections": ("503 Service Unavailable", "connection_limit_reached"),
    "not reached": ("502 Bad Gateway", "destination_unavailable"),
}
# What a function does that works is its own business, and an endpoint that is away is nobody's attack.
_NOT_NOTABLE = frozenset({"not reached", "no request in time"})


class Refusal(Exception):  # noqa: N818 - it is an answer
    """A connection that is not made. `reason` is one of few words, the rest is for the function's author."""

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or reason)
        self.reason = reason
        self.is_notable = reason not in _NOT_NOTABLE

    def answer(self) -> bytes:
        """The answer of the guard."""
        status, error = _ANSWERS[self.reason]
        body = f"egress: {self}\n".encode("ascii", "replace")
        demand = "proxy-authenticate: Basic\r\n" if self.reason == "no pass" else ""
        head = (
            f"HTTP/1.1 {status}\r\nproxy-status: shoal; error={error}\r\n{demand}"
            f"content-type: text/plain\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        return head.encode() + body
