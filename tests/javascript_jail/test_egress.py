"""What functions reach through the guard, and what they do not, with all the ways to the network that Deno has."""

import base64
import ssl
from pathlib import Path
from typing import Any

import pytest

from services.executor.modes.javascript.egress.bounds import Bounds
from services.executor.modes.javascript.egress.passes import Pass
from services.executor.modes.javascript.jail.jail import Jail
from shared.domain.egress_policy import Policy
from tests.javascript_jail.conftest import Way, opened
from tests.javascript_jail.world import NAME, OPEN, answer, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALLOW_ALL = ("-A",)
PRIVATE = [
    "127.0.0.1",
    "localhost",
    "0.0.0.0",
    "0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "169.254.169.254",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fc00::1]",
    "10.0.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "private.test",
    "six.test",
    "metadata.test",
]


def refused(met: Any) -> bool:
    """By Deno, or by the guard: never by the target, nor by chance."""
    if "error" in met:
        said = f"{met['error']} {met['message']} {met['cause']}"
        return "NotCapable" in said or "Requires net access" in said or "tunnel" in said
    return met.get("status") == 403 and str(met["by"]).startswith("shoal; error=")


def allowlist(*hosts: str) -> dict[str, Any]:
    return {"egress": "allowlist", "egress_hosts": list(hosts)}


async def test_http_and_https(way: Way, tls: tuple[ssl.SSLContext, str]) -> None:
    async with serving() as plain, serving(answer(b"sealed"), tls=tls[0]) as sealed:
        urls = [f"http://{NAME}:{plain.port}/a?b", f"https://{NAME}:{sealed.port}/"]
        met = await way.act(*(("fetch", url) for url in urls))
        assert [one["body"] for one in met] == ["hello", "sealed"]
        head = plain.heads[0].split(b"\r\n")
        assert head[0] == b"GET /a?b HTTP/1.1"
        assert b"host: %b:%d" % (NAME.encode(), plain.port) in head
        assert not any(line.lower().startswith(b"proxy-") for line in head)
        named = allowlist(f"{NAME}:{plain.port}", f"{NAME}:{sealed.port}")
        met = await way.act(*(("fetch", url) for url in urls), config=named)
        assert [one["body"] for one in met] == ["hello", "sealed"]


async def test_a_body_goes_there_and_a_long_one_comes_back(way: Way) -> None:
    async with serving(answer(b"x" * 3_000_000)) as server:
        [met] = await way.act(("fetch", f"http://{NAME}:{server.port}/", {"method": "POST", "size": 100_000}))
        assert len(met["body"]) == 3_000_000
        assert b"content-length: 100000" in server.heads[0].lower()


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_is_not_public_is_not_reached(way: Way, scheme: str) -> None:
    way.names.told |= {
        "private.test": ["127.0.0.1"],
        "six.test": ["::ffff:10.0.0.1"],
        "metadata.test": ["169.254.169.254"],
    }
    async with serving(host="127.0.0.1") as server:
        for permissions in (None, ALLOW_ALL):
            met = await way.act(
                *(("fetch", f"{scheme}://{host}:{server.port}/") for host in PRIVATE), permissions=permissions
            )
            assert [host for host, one in zip(PRIVATE, met, strict=True) if not refused(one)] == []
        assert server.heads == []
    assert way.guard.refused["not public"] >= len(PRIVATE)


async def test_a_redirect_is_judged_anew(way: Way) -> None:
    async with serving(host="127.0.0.1") as private:
        there = f"http://127.0.0.1:{private.port}/"
        async with serving(answer(b"", f"location: {there}", status="302 Found")) as server:
            [met] = await way.act(("fetch", f"http://{NAME}:{server.port}/"), permissions=ALLOW_ALL)
            assert refused(met)
        assert private.heads == []


async def test_a_name_that_changes_its_mind(way: Way) -> None:
    way.names.told["rebinding.test"] = [OPEN, "127.0.0.1"]
    async with serving() as server:
        url = f"http://rebinding.test:{server.port}/"
        first, second = await way.act(("fetch", url), ("fetch", url))
        assert first["body"] == "hello"
        assert refused(second)
        assert len(server.heads) == 1
        assert way.names.asked.count("rebinding.test") == 2  # each connection asks once, and goes where it was judged


async def test_nothing_goes_round_the_guard(way: Way) -> None:
    async with serving() as server:
        acts: list[Any] = [
            ("connect", OPEN, server.port),
            ("node", OPEN, server.port),
            ("udp", OPEN, server.port),
            ("resolve", "example.org"),
            ("lookup", "example.org"),
            ("connect", "192.0.2.1", 443),
            ("websocket", "ws://127.0.0.1:9999/"),
            ("websocket", "wss://localhost:9999/"),
        ]
        for config in ({"egress": "public"}, allowlist(f"{OPEN}:{server.port}")):
            met = await way.act(*acts, config=config, permissions=ALLOW_ALL)
            assert [act for act, one in zip(acts, met, strict=True) if "error" not in one] == []
        assert server.heads == []


async def test_other_hosts_and_ports_are_not_on_the_list(way: Way) -> None:
    async with serving() as server, serving() as other:
        others = ["other.test", f"sub.{NAME}", f"{NAME}.evil.test", f"evil{NAME}", "deep.sub.below.test", "below.test"]
        way.names.told |= {name: [OPEN] for name in others}
        config = allowlist(f"{NAME}:{server.port}", f"*.below.test:{server.port}")
        good = [f"http://{NAME}:{server.port}/", f"http://deep.sub.below.test:{server.port}/"]
        good += [f"http://{NAME.upper()}.:{server.port}/"]
        bad = [
            f"http://other.test:{server.port}/",
            f"http://{NAME}:{other.port}/",
            f"http://{OPEN}:{server.port}/",  # the address of a name that is allowed
            f"http://sub.{NAME}:{server.port}/",
            f"http://{NAME}.evil.test:{server.port}/",
            f"http://evil{NAME}:{server.port}/",
            f"http://below.test:{server.port}/",
            f"http://{NAME}@other.test:{server.port}/",
        ]
        met = await way.act(*(("fetch", url) for url in bad), config=config)
        assert [url for url, one in zip(bad, met, strict=True) if not refused(one)] == []
        met = await way.act(*(("fetch", url) for url in good + bad), config=config, permissions=ALLOW_ALL)
        assert [one.get("body") for one in met[: len(good)]] == ["hello"] * len(good)
        assert [url for url, one in zip(bad, met[len(good) :], strict=True) if not refused(one)] == []
        assert other.heads == []
        assert "other.test" not in way.names.asked  # nobody looks up what is not allowed


def tunnel(place: str, said: str = "") -> str:
    proof = f"Proxy-Authorization: Basic {base64.b64encode(said.encode()).decode()}\r\n" if said else ""
    return f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{proof}\r\n"


async def test_only_its_own_secret_opens_the_guard(way: Way) -> None:
    other = await way.guard.open(Policy.of({"egress": "public"}), function="another")
    async with serving() as server:
        place = f"{NAME}:{server.port}"

        def saying(said: str) -> Any:
            return lambda door: ("raw", *door.place, tunnel(place, said.format(door=door)))

        met = await way.act(
            saying(""),
            saying("nobody:nothing"),
            saying("{door.name}:wrong"),
            saying(f"{{door.name}}:{other.secret}"),
            *([saying(f"{other.name}:{other.secret}")] if way.own_network else []),
            lambda door: ("raw", *door.place, "GET / HTTP/1.1\r\n\r\n"),
            permissions=ALLOW_ALL,
        )
        assert [one[:12] for one in met[:-1]] == ["HTTP/1.1 407"] * (len(met) - 1)
        assert met[-1].startswith("HTTP/1.1 4")
        assert server.heads == []


async def test_a_pass_ends_with_its_process(way: Way) -> None:
    await way.act(("fetch", "data:,x"))
    assert way.guard.facts()["passes"] == 0


async def test_the_platforms_own_ports_stay_shut_where_private_networks_are_open(jail: Jail, folder: Path) -> None:
    async with serving(host="127.0.0.1") as bus, serving(host="127.0.0.1") as store, serving(host="127.0.0.1") as own:
        settings = {
            "egress_private": True,
            "nats_url": f"nats://127.0.0.1:{bus.port}",
            "mongodb_url": f"mongodb://127.0.0.1:{store.port},127.0.0.1",
        }
        async with opened(jail, folder, **settings) as way:
            places = [f"{host}:{port}" for host in ("127.0.0.1", "localhost") for port in (bus.port, store.port, 27017)]
            met = await way.act(
                *(("fetch", f"http://{place}/") for place in places),
                *((lambda door, place=place: proven(door, place)) for place in places),
                ("fetch", f"http://127.0.0.1:{own.port}/"),
                permissions=ALLOW_ALL,
            )
            assert all(refused(one) for one in met[: len(places)])
            assert [one[:12] for one in met[len(places) : -1]] == ["HTTP/1.1 403"] * len(places)
            assert met[-1]["body"] == "hello"
        assert bus.heads == store.heads == []


async def test_so_many_connections_and_bytes(jail: Jail, folder: Path) -> None:
    bounds = Bounds(connections=2, connection_bytes=100_000, idle_s=1.0)
    async with serving(answer(b"x" * 1_000_000)) as server, opened(jail, folder, bounds=bounds) as way:
        url = f"http://{NAME}:{server.port}/"
        [met] = await way.act(("fetch", url))
        assert "error" in met
        proof = "{door.name}:{door.secret}"
        met = await way.act(
            lambda door: ("many", 4, *door.place, tunnel(f"{NAME}:{server.port}", proof.format(door=door))),
            permissions=ALLOW_ALL,
        )
        assert sorted(met[0]) == ["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 503", "HTTP/1.1 503"]
        assert way.guard.refused["too many connections"] == 2


def proven(door: Pass, place: str) -> tuple[str, int, str]:
    """A tunnel that is asked for with the right secret, by hand."""
    return "raw", *door.place, tunnel(place, f"{door.name}:{door.secret}")
