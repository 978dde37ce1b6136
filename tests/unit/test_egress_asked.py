"""How the guard reads a request, and what it sends on."""

import base64

import pytest

from services.executor.modes.javascript.egress.asked import NotAskedError, last_of_connection, parse

PROOF = base64.b64encode(b"name:se:cret").decode()


def head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def test_a_tunnel() -> None:
    asked = parse(head("CONNECT example.org:443 HTTP/1.1", "Host: x", f"Proxy-Authorization: Basic {PROOF}"))
    assert asked == ("example.org", 443, b"", "name", "se:cret")
    assert parse(head("CONNECT [2001:db8::1]:8443 HTTP/1.1"))[:2] == ("2001:db8::1", 8443)


def test_a_request_goes_on_without_a_word_to_the_proxy() -> None:
    asked = parse(
        head(
            "POST http://Example.org:81/a?b#c HTTP/1.1",
            "Host: other.test",
            f"Proxy-Authorization: basic {PROOF}",
            "Proxy-Connection: keep-alive",
            "Connection: keep-alive",
            "Content-Length: 3",
            "X-Own:  kept ",
        )
    )
    assert (asked.host, asked.port) == ("Example.org", 81)
    assert asked.head == head(
        *("POST /a?b#c HTTP/1.1", "host: Example.org:81", "connection: close", "content-length: 3", "x-own: kept")
    )
    assert parse(head("GET http://example.org?x HTTP/1.1")).head.startswith(b"GET /?x HTTP/1.1\r\n")


def test_an_upgrade_stays_one() -> None:
    asked = parse(head("GET http://example.org/ HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"))
    assert b"connection: upgrade\r\nupgrade: websocket\r\n" in asked.head


@pytest.mark.parametrize(
    "line",
    [
        "GET / HTTP/1.1",
        "GET https://example.org/ HTTP/1.1",
        "GET ftp://example.org/ HTTP/1.1",
        "GET http:///x HTTP/1.1",
        "GET http://a@example.org/ HTTP/1.1",
        "GET http://a:b@example.org/ HTTP/1.1",
        "GET http://::1/ HTTP/1.1",
        "GET http://example.org:99999/ HTTP/1.1",
        "GET http://example.org:-1/ HTTP/1.1",
        "GET http://exämple.org/ HTTP/1.1",
        "CONNECT example.org HTTP/1.1",
        "CONNECT example.org:0 HTTP/1.1",
        "CONNECT :443 HTTP/1.1",
        "CONNECT example.org:443 HTTP/2",
        "CONNECT  example.org:443 HTTP/1.1",
        "CONNECT exa\tmple.org:443 HTTP/1.1",
        "",
    ],
)
def test_what_is_no_request(line: str) -> None:
    with pytest.raises(NotAskedError):
        parse(head(line))


@pytest.mark.parametrize("line", [" folded: x", "no colon", ": x", "name : x", "a: b\nc: d", "a: b\rc"])
def test_a_header_that_is_none(line: str) -> None:
    with pytest.raises(NotAskedError):
        parse(head("GET http://example.org/ HTTP/1.1", "Good: yes", line))


@pytest.mark.parametrize("said", ["Basic !!", "Bearer x", f"Digest {PROOF}", "Basic /w==", ""])
def test_no_proof_is_nobody(said: str) -> None:
    assert parse(head("CONNECT example.org:443 HTTP/1.1", f"Proxy-Authorization: {said}"))[3:] == ("", "")


def test_an_answer_is_the_last_of_its_connection() -> None:
    assert last_of_connection(b"HTTP/1.1 200 OK\r\ncontent-le") is None
    whole = head("HTTP/1.1 200 OK", "Connection: keep-alive", "Keep-Alive: timeout=5", "A: b")
    assert last_of_connection(whole + b"body") == head("HTTP/1.1 200 OK", "connection: close", "A: b") + b"body"
    early = head("HTTP/1.1 103 Early Hints", "Link: x")
    assert last_of_connection(early) is None
    assert last_of_connection(early + whole) == early + head("HTTP/1.1 200 OK", "connection: close", "A: b")
    switched = head("HTTP/1.1 101 Switching Protocols", "Connection: upgrade")
    assert last_of_connection(switched) == switched
