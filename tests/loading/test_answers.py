"""What comes back from a URL: sources, and what is none."""

import asyncio
import gzip
import zlib

import pytest

from services.api.core import github
from services.api.core.loading import Loaded, Loading, UpstreamRefused
from shared.config import Platform
from shared.domain.problem import Problem
from tests.hooks import Hook, always, response
from tests.loading.conftest import SOURCE, caller, opened, refused, source

BROKEN = "What answered at the URL broke off, or does not keep to HTTP"


async def test_a_source_and_its_name(loading: Loading, host: Hook) -> None:
    host.answer = always(source())
    assert await loading.load(caller(), f" {host.url}/filters/rate_limit.py?x=1#L3\n") == Loaded("rate_limit", SOURCE)
    (sent,) = host.received
    assert (sent.method, sent.path, sent.body) == ("GET", "/filters/rate_limit.py?x=1", b"")
    assert sent.headers.keys() == {"host", "accept", "accept-encoding", "user-agent", "connection"}
    assert sent.headers["accept-encoding"] == "identity"


async def test_a_page_of_github(loading: Loading, host: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(github, "_RAW", host.url)
    host.answer = always(source())
    page = "https://github.com/u/r"
    assert await loading.load(caller(), f"{page}/blob/main/function.py") == Loaded("function", SOURCE)
    assert await loading.load(caller(), f"{page}/tree/main/filters/limit") == Loaded("limit", SOURCE)
    heads = "/u/r/refs/heads/main"
    assert [sent.path for sent in host.received] == [f"{heads}/function.py", f"{heads}/filters/limit/main.py"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 429, 500, 503, 599])
async def test_a_refusal_keeps_its_status(loading: Loading, host: Hook, status: int) -> None:
    host.answer = always(response(status, b"secret of the inside"))
    problem = await refused(loading, f"{host.url}/f.py")
    assert isinstance(problem, UpstreamRefused)
    assert (problem.status, problem.message) == (status, "Failed to fetch the function")


@pytest.mark.parametrize("status", [201, 203, 206, 300, 302, 305, 600])
async def test_an_answer_that_is_neither(loading: Loading, host: Hook, status: int) -> None:
    host.answer = always(response(status, b"x = 1"))
    problem = await refused(loading, f"{host.url}/f.py")
    assert not isinstance(problem, UpstreamRefused)
    assert (problem.code, problem.fields) == ("unavailable", {})
    assert str(status) in problem.message


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body(loading: Loading, host: Hook, status: int) -> None:
    host.answer = always(f"HTTP/1.1 {status} Status\r\n\r\n".encode())
    assert (await refused(loading, f"{host.url}/f.py")).code == "unavailable"


@pytest.mark.parametrize("body", [b"", b"\xef\xbb\xbf"])
async def test_nothing_at_all(loading: Loading, host: Hook, body: bytes) -> None:
    host.answer = always(source(body))
    problem = await refused(loading, f"{host.url}/f.py")
    assert (problem.code, problem.message, problem.fields) == ("invalid", "No data received from the URL", {})


@pytest.mark.parametrize(
    "body", [b"\xff", "é".encode("latin-1"), "x".encode("utf-16"), b"\xed\xa0\x80", b"\x89PNG\r\n"]
)
async def test_what_is_no_text(loading: Loading, host: Hook, body: bytes) -> None:
    host.answer = always(source(body))
    problem = await refused(loading, f"{host.url}/f.py")
    assert (problem.code, problem.message) == ("invalid", "What is at the URL is not UTF-8 text")


async def test_the_mark_of_an_editor_does_not_hide_the_first_line(loading: Loading, host: Hook) -> None:
    host.answer = always(source(b"\xef\xbb\xbf" + SOURCE.encode()))
    assert (await loading.load(caller(), host.url + "/f.py")).content == SOURCE


async def test_an_answer_that_breaks_off(loading: Loading, host: Hook) -> None:
    async def answer(_, writer) -> None:
        writer.write(source()[:-3])
        await writer.drain()
        writer.close()

    host.answer = answer
    problem = await refused(loading, f"{host.url}/f.py")
    assert (problem.code, problem.message) == ("unavailable", BROKEN)


async def test_what_is_no_http(loading: Loading, host: Hook) -> None:
    host.answer = always(b"220 mail.example ESMTP\r\n\r\n")
    assert (await refused(loading, f"{host.url}/f.py")).message == BROKEN


async def test_nobody_there(loading: Loading, host: Hook, unused_tcp_port: int) -> None:
    problem = await refused(loading, f"https://127.0.0.1:{unused_tcp_port}/f.py")
    assert (problem.code, problem.message) == ("unavailable", "The URL cannot be reached")


async def test_a_certificate_that_is_not_believed(host: Hook) -> None:
    async with opened(Platform(nats_url="", mongodb_url="", egress_private=True)) as loading:
        problem = await refused(loading, f"{host.url}/f.py")
    assert problem.message == "The host of the URL has no certificate that can be believed"
    assert not host.received


async def test_authorities_that_cannot_be_read(host: Hook) -> None:
    platform = Platform(nats_url="", mongodb_url="", egress_ca_file="/nowhere/ca.pem")
    async with opened(platform) as loading:
        assert (await refused(loading, f"{host.url}/f.py")).code == "unavailable"


# --- Bounds -----------------------------------------------------------------------------------------------------------


async def test_as_long_as_may_be(open_: Platform, host: Hook) -> None:
    async with opened(open_, load_bytes=1000) as loading:
        host.answer = always(source("#" * 1000))
        assert len((await loading.load(caller(), f"{host.url}/f.py")).content) == 1000
        host.answer = always(source("#" * 1001))
        problem = await refused(loading, f"{host.url}/f.py")
    assert (problem.code, problem.message) == ("invalid", "What is at the URL has more than 1000 bytes")


async def test_what_declares_too_much_is_not_read(loading: Loading, host: Hook) -> None:
    host.answer = always(b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n#")
    assert "more than 1048576 bytes" in (await refused(loading, f"{host.url}/f.py")).message


async def test_what_has_no_end_is_cut(open_: Platform, host: Hook) -> None:
    async def answer(_, writer) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"2710\r\n%b\r\n" % (b"#" * 10_000))
            await writer.drain()
            await asyncio.sleep(0)

    host.answer = answer
    async with opened(open_, load_bytes=100_000) as loading, asyncio.timeout(20):
        problem = await refused(loading, f"{host.url}/f.py")
    assert problem.message == "What is at the URL has more than 100000 bytes"


async def test_a_bomb_is_never_unpacked(open_: Platform, host: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """40 MB in 40 kB: no more than a byte beyond the bound is made of it."""
    made: list[int] = []
    real = zlib.decompressobj

    class Counted:
        def __init__(self, bits: int) -> None:
            self.inner = real(bits)

        def decompress(self, data: bytes, most: int) -> bytes:
            part = self.inner.decompress(data, most)
            made.append(len(part))
            return part

    monkeypatch.setattr(zlib, "decompressobj", Counted)
    host.answer = always(source(gzip.compress(bytes(40_000_000)), Content_Encoding="gzip"))
    async with opened(open_, load_bytes=50_000) as loading:
        assert "more than 50000 bytes" in (await refused(loading, f"{host.url}/f.py")).message
    assert sum(made) == 50_001


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "x-gzip"])
async def test_what_is_packed_though_it_was_not_asked_for(loading: Loading, host: Hook, encoding: str) -> None:
    host.answer = always(source(gzip.compress(SOURCE.encode()), Content_Encoding=encoding))
    assert (await loading.load(caller(), f"{host.url}/f.py")).content == SOURCE


@pytest.mark.parametrize("body", [gzip.compress(SOURCE.encode())[:-4], b"no gzip", gzip.compress(b"x" * 99)[:12]])
async def test_what_cannot_be_unpacked(loading: Loading, host: Hook, body: bytes) -> None:
    host.answer = always(source(body, Content_Encoding="gzip"))
    problem = await refused(loading, f"{host.url}/f.py")
    assert (problem.code, problem.message) == ("unavailable", "What the URL answered cannot be unpacked")


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "aes128gcm"])
async def test_another_compression(loading: Loading, host: Hook, encoding: str) -> None:
    host.answer = always(source(b"x = 1", Content_Encoding=encoding))
    problem = await refused(loading, f"{host.url}/f.py")
    assert problem.message == "The URL answered with a compression that was not asked for"


@pytest.mark.parametrize("where", ["head", "body", "nothing"])
async def test_one_who_is_slow_is_not_waited_for(open_: Platform, host: Hook, where: str) -> None:
    """A byte now and then is a sign of life to each read, but not to the whole."""

    async def answer(_, writer) -> None:
        if where != "nothing":
            writer.write(b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 9999\r\n\r\n" if where == "body" else b""))
        while not writer.is_closing():
            if where != "nothing":
                writer.write(b"x: y\r\n" if where == "head" else b"#")
            await writer.drain()
            await asyncio.sleep(0.02)

    host.answer = answer
    async with opened(open_, load_timeout_s=0.3) as loading, asyncio.timeout(20):
        problem = await refused(loading, f"{host.url}/f.py")
    assert (problem.code, problem.message) == ("unavailable", "The URL was not read within 0.3 s")


async def test_the_time_is_for_all_hops_together(open_: Platform, host: Hook) -> None:
    async def answer(sent, writer) -> None:
        await asyncio.sleep(0.2)
        writer.write(source() if sent.path == "/5" else response(302, Location=f"/{int(sent.path[1:]) + 1}"))

    host.answer = answer
    async with opened(open_, load_timeout_s=0.5) as loading:
        assert "was not read within 0.5 s" in (await refused(loading, f"{host.url}/0")).message
    assert len(host.received) < 5


# --- Who, and how many ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        ("user", {"functions:read", "functions:write", "functions:execute", "admin"}),
        ("developer", {"functions:read", "functions:write", "functions:execute", "admin"}),
        ("admin", {"functions:read", "functions:execute", "admin"}),
    ],
)
async def test_it_is_for_those_who_make_plugins(loading: Loading, host: Hook, role: str, scopes: set[str]) -> None:
    with pytest.raises(Problem) as found:
        await loading.load(caller(role=role, scopes=frozenset(scopes)), f"{host.url}/f.py")
    assert found.value.code == "forbidden"
    assert host.connections == 0


async def test_one_tenant_leaves_room_to_others(loading: Loading, host: Hook) -> None:
    arrived, may_go = asyncio.Semaphore(0), asyncio.Event()

    async def answer(_, writer) -> None:
        arrived.release()
        await may_go.wait()
        writer.write(source())

    host.answer = answer
    url = f"{host.url}/f.py"
    async with asyncio.timeout(20):
        held = [asyncio.create_task(loading.load(caller("acme"), url)) for _ in range(4)]
        for _ in held:
            await arrived.acquire()
        problem = await refused(loading, url)
        assert (problem.code, problem.retry_after_s) == ("rate_limited", 1)
        held += [asyncio.create_task(loading.load(caller(f"t{number // 4}"), url)) for number in range(28)]
        for _ in range(28):
            await arrived.acquire()
        with pytest.raises(Problem, match="Too many URLs") as found:
            await loading.load(caller("late"), url)
        assert (found.value.code, found.value.retry_after_s) == ("unavailable", 1)
        may_go.set()
        await asyncio.gather(*held)
        assert (await loading.load(caller("late"), url)).content == SOURCE
        assert (await loading.load(caller("acme"), url)).content == SOURCE


async def test_who_fails_gives_his_room_back(loading: Loading, host: Hook) -> None:
    host.answer = always(response(404))
    for _ in range(10):
        await refused(loading, f"{host.url}/f.py")
        await refused(loading, "ftp://example.org/f.py")


async def test_what_is_under_way_at_the_end_ends(open_: Platform, host: Hook) -> None:
    arrived = asyncio.Event()

    async def answer(_, writer) -> None:
        arrived.set()
        await asyncio.Event().wait()

    host.answer = answer
    async with asyncio.timeout(20):
        async with opened(open_) as loading:
            held = asyncio.create_task(loading.load(caller(), f"{host.url}/f.py"))
            await arrived.wait()
        with pytest.raises(Problem):
            await held
