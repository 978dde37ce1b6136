"""What a function reaches over the network, by its `config.egress`: the guard is the only way there."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest_asyncio

from services.executor.modes.javascript.mode import JavascriptMode
from shared.domain.outcome import Outcome
from tests.javascript_mode.calling import FUNCTION, call_of, said
from tests.javascript_mode.opening import Open, platform_of

FETCH = (
    "export default async () => { const a = await fetch('http://localhost:PORT/'); return [a.status, await a.text()]; }"
)


@pytest_asyncio.fixture(loop_scope="session")
async def port() -> AsyncIterator[int]:
    """Of somebody's HTTP server on this machine."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\nreached")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def _fetched(mode: JavascriptMode, source: str, config: dict[str, Any]) -> Outcome:
    function = msgspec.structs.replace(FUNCTION, config=config)
    return await mode.run(await call_of(mode, source, function=function))


async def test_what_is_permitted_is_reached(opened: Open, port: int) -> None:
    mode = await opened(platform=platform_of(egress_private=True))
    source = FETCH.replace("PORT", str(port))
    listed = {"egress": "allowlist", "egress_hosts": [f"localhost:{port}"]}
    assert said(await _fetched(mode, source, listed)) == [200, "reached"]
    assert said(await _fetched(mode, source, {"egress": "public"})) == [200, "reached"]
    assert mode.facts()["sandbox"]["guard"]["passes"] == 2


async def test_what_is_not_on_the_list_is_not_reached(opened: Open, port: int) -> None:
    mode = await opened(platform=platform_of(egress_private=True))
    source = FETCH.replace("PORT", str(port))
    for config in ({}, {"egress": "none"}, {"egress": "allowlist", "egress_hosts": ["example.org"]}):
        assert (await _fetched(mode, source, config)).status == "FAILURE"


async def test_public_is_not_this_machine(opened: Open, port: int) -> None:
    mode = await opened()
    for host in ("localhost", "127.0.0.1", "0.0.0.0", "0x7f.1", "[::ffff:127.0.0.1]", "2130706433"):
        source = FETCH.replace("localhost", host).replace("PORT", str(port))
        outcome = await _fetched(mode, source, {"egress": "public"})
        assert outcome.status == "FAILURE" or said(outcome)[1] != "reached", host
    around = f"export default async () => {{ await (await Deno.connect({{port: {port}}})).write(new Uint8Array(1)); }}"
    assert (await _fetched(mode, around, {"egress": "public"})).status == "FAILURE"


async def test_the_way_out_is_told_to_nobody(opened: Open) -> None:
    mode = await opened()
    outcome = await _fetched(mode, "export default () => Deno.env.toObject()", {"egress": "public"})
    assert said(outcome) == {}


async def test_one_who_reaches_the_network_cannot_reach_his_own_host(opened: Open) -> None:
    mode = await opened()
    source = "export default async () => { await Deno.connect({transport: 'unix', path: Deno.args[0]}); return 1; }"
    assert (await _fetched(mode, source, {"egress": "public"})).error_type == "NotCapable"
