"""Where loading goes, and where it never does: redirects, private addresses, odd URLs."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpcore
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.api.core.loading import Loading
from shared.config import Platform
from shared.domain.problem import Problem
from shared.egress.documents import Documents
from shared.egress.lookup import Lookup
from tests.hooks import Hook, always, response, serving
from tests.loading.conftest import SOURCE, caller, opened, refused, source, to

PRIVATE = "The URL leads to an address that is not on the public internet"


@pytest.fixture
async def plain() -> AsyncIterator[Hook]:
    """A server that speaks http only."""
    async with serving() as plain:
        yield plain


@pytest.fixture
async def other(tls: tuple[ssl.SSLContext, Path]) -> AsyncIterator[Hook]:
    """Another origin than the host."""
    async with serving(tls=tls[0]) as other:
        yield other


def chain(host: Hook, end: bytes, *, hops: int, status: int = 302) -> None:
    """`/0` leads to `/1`, and so on up to the end."""

    async def answer(sent, writer) -> None:
        number = int(sent.path[1:])
        writer.write(end if number == hops else to(f"/{number + 1}", status))

    host.answer = answer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_five_redirects_are_followed_and_not_six(loading: Loading, host: Hook, status: int) -> None:
    chain(host, source(), hops=5, status=status)
    assert (await loading.load(caller(), f"{host.url}/0")).content == SOURCE
    assert [sent.path for sent in host.received] == [f"/{number}" for number in range(6)]
    assert {sent.method for sent in host.received} == {"GET"}
    host.received.clear()
    chain(host, source(), hops=6, status=status)
    problem = await refused(loading, f"{host.url}/0")
    assert problem.fields == {"url": "The URL redirects more than 5 times"}
    assert len(host.received) == 6


async def test_a_circle_has_an_end(loading: Loading, host: Hook) -> None:
    host.answer = always(to("/again"))
    assert "more than 5 times" in (await refused(loading, f"{host.url}/f.py")).message
    assert len(host.received) == 6


async def test_the_name_is_that_of_the_url(loading: Loading, host: Hook) -> None:
    host.answer = always(to("/1/main.py"))
    chain_end = source()

    async def answer(sent, writer) -> None:
        writer.write(chain_end if sent.path == "/1/main.py" else to("/1/main.py"))

    host.answer = answer
    assert (await loading.load(caller(), f"{host.url}/limit.py")).name == "limit"


async def test_a_refusal_behind_a_redirect(loading: Loading, host: Hook) -> None:
    chain(host, response(404), hops=2)
    problem = await refused(loading, f"{host.url}/0")
    assert getattr(problem, "status", None) == 404


async def test_nothing_goes_from_one_host_to_the_next(loading: Loading, host: Hook, other: Hook) -> None:
    host.answer = always(response(302, Location=f"{other.url}/f.py#part", Set_Cookie="a=b", Authorization="Basic eA=="))
    other.answer = always(source())
    for _ in range(2):
        assert (await loading.load(caller(), f"{host.url}/f.py?key=secret")).content == SOURCE
    for sent in (*host.received, *other.received):
        assert sent.headers.keys() == {"host", "accept", "accept-encoding", "user-agent", "connection"}
    assert {sent.path for sent in other.received} == {"/f.py"}
    assert {sent.headers["host"] for sent in other.received} == {f"127.0.0.1:{other.port}"}


@pytest.mark.parametrize(
    "hop",
    [
        ("http://127.0.0.1:{port}/f.py", "A redirect of the URL begins with http://"),
        ("HTTP://127.0.0.1:{port}/f.py", "A redirect of the URL begins with http://"),
        ("ftp://127.0.0.1:{port}/f.py", "does not begin with https://"),
        ("file:///etc/passwd", "does not begin with https://"),
        ("data:text/plain,x", "does not keep to HTTP"),
        ("https://me:pw@127.0.0.1:{port}/f.py", "has a user or a password in it"),
        ("//me@127.0.0.1:{port}/f.py", "has a user or a password in it"),
        ("https://127.0.0.1:99999/f.py", "has no host and port"),
        ("https://[::1/f.py", "does not keep to HTTP"),
        ("https://exa mple.org/", "has no host and port"),
        ("/" + "x" * 2048, "has more than 2048 characters"),
        ("?" + "x" * 2040, "has more than 2048 characters"),
    ],
)
async def test_a_hop_is_looked_at_like_the_first(
    loading: Loading, host: Hook, plain: Hook, hop: tuple[str, str]
) -> None:
    location, said = hop
    host.answer = always(to(location.format(port=plain.port)))
    problem = await refused(loading, f"{host.url}/f.py")
    assert said in problem.message
    assert (len(host.received), plain.connections) == (1, 0)


async def test_a_hop_into_a_private_network(tls: tuple[ssl.SSLContext, Path], shut: Platform, host: Hook) -> None:
    allowed = msgspec.structs.replace(shut, egress_allow="127.0.0.1/32")
    async with serving(tls=tls[0], host="127.0.0.2") as inside, opened(allowed) as loading:
        host.answer = always(to(f"https://127.0.0.2:{inside.port}/f.py"))
        problem = await refused(loading, f"{host.url}/f.py")
        assert (problem.code, problem.fields) == ("invalid", {"url": PRIVATE})
        assert (len(host.received), inside.connections) == (1, 0)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.org/f.py", "begins with http://"),
        ("http://github.com/u/r/blob/main/f.py", "begins with http://"),
        ("ftp://example.org/f.py", "does not begin with https://"),
        ("file:///etc/passwd", "does not begin with https://"),
        ("javascript:alert(1)", "does not begin with https://"),
        ("example.org/f.py", "does not begin with https://"),
        ("//example.org/f.py", "does not begin with https://"),
        ("", "does not begin with https://"),
        ("https:", "has no host"),
        ("https://", "has no host"),
        ("https:///f.py", "has no host"),
        ("https://.example.org/f.py", "has no host"),
        ("https://example.org:0/f.py", "has no host"),
        ("https://example.org:65536/f.py", "has no host"),
        ("https://example.org:x/f.py", "is not a URL"),
        ("https://[::1/f.py", "is not a URL"),
        ("https://exa mple.org/f.py", "has no host"),
        ("https://example.org/\nf.py", "is not a URL"),
        ("https://example.org/\x00f.py", "is not a URL"),
        ("https://xn--\u2603/f.py", "is not a URL"),
        ("https://me:pw@example.org/f.py", "has a user or a password in it"),
        ("https://me@example.org/f.py", "has a user or a password in it"),
        ("https://:@example.org/f.py", "has a user or a password in it"),
        ("https://example.org/" + "x" * 2048, "has more than 2048 characters"),
        ("https://" + "x." * 150 + "example.org/", "has no host"),
    ],
)
async def test_what_is_no_address_to_load_from(shut: Platform, url: str, said: str) -> None:
    async with opened(shut) as loading:
        problem = await refused(loading, url)
    assert problem.code == "invalid"
    assert said in problem.fields["url"]
    assert problem.message == problem.fields["url"]


# --- Private networks -------------------------------------------------------------------------------------------------

SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "localhost",
    "LocalHost", "localhost.", "0.0.0.0", "0", "127.0.0.2", "127.255.255.254", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::1%25lo]",
    "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "\u2460\u2461\u2466.0.0.1", "loc\u00adalhost",
    "%31%32%37.0.0.1",
]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_this_machine_is_not_connected_to(
    shut: Platform, tls: tuple[ssl.SSLContext, Path], host: Hook, spelling: str
) -> None:
    async with serving(tls=tls[0], host="::1") as host_6, opened(shut) as loading:
        for there in (host, host_6):
            there.answer = always(source())
            problem = await refused(loading, f"https://{spelling}:{there.port}/f.py")
            assert problem.code in {"invalid", "unavailable"}
            assert "127.0" not in problem.message
        assert (host.connections, host_6.connections) == (0, 0)


async def test_the_same_servers_answer_where_private_networks_are_open(
    open_: Platform, tls: tuple[ssl.SSLContext, Path], host: Hook
) -> None:
    """Else the test above would pass whatever is done."""
    async with serving(tls=tls[0], host="::1") as host_6, opened(open_) as loading:
        host.answer = host_6.answer = always(source())
        for url in (host.url, f"https://localhost:{host.port}", f"https://[::1]:{host_6.port}"):
            assert (await loading.load(caller(), f"{url}/f.py")).content == SOURCE


class Tried:
    """In place of the network: nobody is connected to, and every try is written down."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    async def connect_tcp(self, address: str, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        self.addresses.append(address)
        raise httpcore.ConnectError("nobody is there")


METADATA = st.sampled_from(["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "fd00:ec2::254"])
NETWORKS = [
    "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "0.0.0.0/8", "169.254.0.0/16",
    "198.18.0.0/15", "192.0.2.0/24", "224.0.0.0/4", "240.0.0.0/4", "::1/128", "fc00::/7", "fe80::/10", "64:ff9b::/96",
    "2002::/16", "2001::/32", "ff00::/8",
]  # fmt: skip
INSIDE = st.sampled_from(NETWORKS).map(ipaddress.ip_network).flatmap(
    lambda network: st.ip_addresses(network=network).map(str)
)  # fmt: skip


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> Tried:
    tried = Tried()
    monkeypatch.setattr("shared.egress.backend.httpcore.AnyIOBackend", lambda: tried)
    return tried


Asking = Callable[[str, str], Problem]


@pytest.fixture
def asking(tried: Tried) -> Iterator[Asking]:
    """What is said of a URL; its name stands for the address, if one is given."""
    stands_for = ""
    system = Lookup()

    async def resolve(host: str, port: int) -> list[str]:
        return [stands_for] if stands_for else await system(host, port)

    def ask(url: str, address: str) -> Problem:
        nonlocal stands_for
        stands_for = address
        with pytest.raises(Problem) as found:
            loop.run_until_complete(documents.fetch(url, field="url"))
        return found.value

    loop = asyncio.new_event_loop()
    documents = Documents(Platform(nats_url="", mongodb_url=""), most_bytes=10, within_s=10, resolve=resolve)
    yield ask
    loop.run_until_complete(documents.close())
    loop.close()


def spelled(address: str, how: int) -> str:
    """An address as the host of a URL."""
    found = ipaddress.ip_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        return f"[{found.exploded if how % 2 else found}]"
    return [address, str(int(found)), hex(int(found)), f"[::ffff:{address}]"][how % 4]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(address=INSIDE | METADATA, how=st.integers(0, 3))
def test_no_private_address_is_ever_connected_to(tried: Tried, asking: Asking, address: str, how: int) -> None:
    """Named outright, and behind a name."""
    for host, stands_for in ((spelled(address, how), ""), ("code.example", address)):
        assert asking(f"https://{host}/f.py", stands_for).fields == {"url": PRIVATE}
    assert tried.addresses == []


async def test_a_public_address_is_tried(tried: Tried, shut: Platform) -> None:
    """Else the test above would pass whatever is done."""
    async with opened(shut) as loading:
        assert (await refused(loading, "https://93.184.215.14/f.py")).message == "The URL cannot be reached"
    assert tried.addresses == ["93.184.215.14"]


async def test_a_name_that_changes_its_mind(shut: Platform, host: Hook) -> None:
    """What was public when it was looked at is asked again at the next hop, and connected to where it was judged."""
    answers = [["127.0.0.1"], ["127.0.0.2", "10.0.0.1"]]
    asked: list[str] = []

    async def resolve(name: str, port: int) -> list[str]:
        asked.append(name)
        return answers[len(asked) - 1]

    allowed = msgspec.structs.replace(shut, egress_allow="127.0.0.1/32")
    host.answer = always(response(302, Location="/there", Connection="close"))
    documents = Documents(allowed, most_bytes=100, within_s=10, resolve=resolve)
    with pytest.raises(Problem) as found:
        await documents.fetch(f"https://code.example:{host.port}/here", field="url")
    assert found.value.fields == {"url": PRIVATE}
    assert [sent.path for sent in host.received] == ["/here"]
    assert (asked, host.connections) == (["code.example", "code.example"], 1)
    await documents.close()


async def test_the_name_is_not_asked_between_judgement_and_connection(shut: Platform, host: Hook) -> None:
    asked: list[str] = []

    async def resolve(name: str, port: int) -> list[str]:
        asked.append(name)
        return ["10.0.0.1", "127.0.0.1"]

    allowed = msgspec.structs.replace(shut, egress_allow="127.0.0.1/32")
    host.answer = always(source())
    documents = Documents(allowed, most_bytes=1000, within_s=10, resolve=resolve)
    found = await documents.fetch(f"https://code.example:{host.port}/f.py", field="url")
    assert (found.status, found.body.decode()) == (200, SOURCE)
    assert (asked, host.received[0].headers["host"]) == (["code.example"], f"code.example:{host.port}")
    await documents.close()
