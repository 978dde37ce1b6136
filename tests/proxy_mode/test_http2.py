"""HTTP/2: many requests on one connection, and one that is given up takes no other along."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import httpx
import msgspec

from shared import egress
from tests.hooks import certificate
from tests.proxy_mode.conftest import OPEN


class Server:
    """Answers every stream but those to /silent, with what was sent to it."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        paths: dict[int, str] = {}
        try:
            while data := await reader.read(65_536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        paths[event.stream_id] = dict(event.headers)[b":path"].decode()
                    elif isinstance(event, h2.events.StreamEnded) and paths[event.stream_id] != "/silent":
                        connection.send_headers(event.stream_id, [(":status", "200")])
                        connection.send_data(event.stream_id, paths[event.stream_id].encode(), end_stream=True)
                writer.write(connection.data_to_send())
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def speaking_h2(folder: Path) -> AsyncIterator[tuple[Server, httpx.AsyncClient, str]]:
    tls, public = certificate(folder, "127.0.0.1")
    tls.set_alpn_protocols(["h2"])
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    client = egress.open_client(msgspec.structs.replace(OPEN, egress_ca_file=str(public)), timeout_s=10)
    try:
        yield server, client, url
    finally:
        await client.aclose()
        listening.close()


async def test_requests_share_a_connection(tmp_path: Path) -> None:
    async with speaking_h2(tmp_path) as (server, client, url):
        first = await client.post(f"{url}/0", json={})
        assert (first.http_version, first.text) == ("HTTP/2", "/0")
        answers = await asyncio.gather(*(client.post(f"{url}/{n}", json={"n": n}) for n in range(50)))
        assert [answer.text for answer in answers] == [f"/{n}" for n in range(50)]
        assert server.connections == 1


async def test_a_request_that_is_given_up_leaves_its_connection_to_those_on_it(tmp_path: Path) -> None:
    async with speaking_h2(tmp_path) as (server, client, url):
        await client.post(f"{url}/0", json={})
        silent = [asyncio.create_task(client.post(f"{url}/silent", json={})) for _ in range(2)]
        await client.post(f"{url}/1", json={})
        silent[0].cancel()
        await asyncio.wait({silent[0]})
        assert (await client.post(f"{url}/2", json={})).text == "/2"
        assert server.connections == 2  # the first is left to the other silent one, and closed with it
        assert not silent[1].done()
        silent[1].cancel()
        await asyncio.wait({silent[1]})
