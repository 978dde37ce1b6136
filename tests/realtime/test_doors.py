"""Who may open a socket, and for how long."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
import websockets

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.notices import IdentityChanged
from shared.domain.caller import SCOPES
from shared.store import tenants
from shared.store.apps import Apps
from shared.store.client import Store
from shared.store.tokens import Tokens, hashed
from tests.api.apps.edge import SECRET, signed
from tests.people import account, token_for
from tests.realtime.clients import Client, Door, event
from tests.realtime.conftest import TENANT_SOCKETS, Room
from tests.realtime.scripts import echo


async def turned_away(client: Client) -> tuple[int | None, str]:
    """The code; the sentence is said in an error frame, too."""
    told = await client.hear()
    assert told["type"] == "error"
    code, reason = await client.closed()
    assert reason == told["message"]
    return code, told["message"]


@pytest.mark.parametrize("app", ["app_zzzzzzzzzzzz", "no-such-app", "%00", "a%2Fb", "ü"])
async def test_an_unknown_app_refuses_the_handshake(room: Room, app: str):
    with pytest.raises(websockets.InvalidStatus) as refusal:
        async with room.door.socket(room.door.url(app), room.door.token):
            pass
    assert refusal.value.response.status_code == 404
    assert refusal.value.response.body == b'{"error":"App not found"}'


async def test_the_app_may_be_named_by_its_slug_and_the_token_stand_in_the_query(room: Room):
    async with room.door.socket(room.door.url(room.app.slug, room.door.token)) as client:
        assert (await client.hear())["app_id"] == room.app.public_id
    async with room.door.socket(room.url(signed())) as client:
        assert (await client.hear())["role"] == "user"


FAULTS = [
    ("", "This app requires authentication. Anonymous access is disabled."),
    ("shoal_nonsense", "Invalid token."),
    ("eyJnonsense", "The end user's token is not valid for this app."),
    (signed(SECRET + "x"), "The end user's token is not valid for this app."),
    (signed(exp=int(time.time()) - 100), "The end user's token has expired."),
]


@pytest.mark.parametrize(("token", "sentence"), FAULTS, ids=range(len(FAULTS)))
async def test_who_may_not_is_told_why(room: Room, token: str, sentence: str):
    async with room.socket(token) as client:
        assert await turned_away(client) == (1008, sentence)
    async with room.door.socket(room.url(token)) as client:
        assert await turned_away(client) == (1008, sentence)


async def test_two_tokens_in_the_query_are_none(room: Room):
    async with room.door.socket(room.url(room.door.token) + f"&token={room.door.token}") as client:
        assert (await turned_away(client))[0] == 1008


async def test_a_token_needs_the_right_to_execute(room: Room, store: Store):
    reader = await account(store, "reader")
    token = await token_for(store, reader, scopes=frozenset({"functions:read"}))
    async with room.socket(token) as client:
        assert await turned_away(client) == (1008, "This token does not have the scope functions:execute")


async def test_another_tenants_token_is_nobodys(room: Room, store: Store):
    token = await token_for(store, await account(store, "anna", tenant="acme", role="admin"))
    async with room.socket(token) as client:
        assert await turned_away(client) == (1008, "Invalid token.")


async def test_a_revoked_token_closes_its_sockets(room: Room, store: Store, bus: Bus):
    user = await account(store, "leaving")
    token = await token_for(store, user, scopes=SCOPES)
    async with room.open(token) as client, room.open() as other:
        known = (await Tokens(store, "default").listed(user_id=user.id, limit=1))[0]
        await Tokens(store, "default").revoke(known.id)
        await bus.send(subjects.identity("default"), IdentityChanged(tenant="default", token=hashed(token)))
        assert await turned_away(client) == (1008, "Invalid token.")
        assert (await other.ask('{"type":"ping"}')) == {"type": "pong"}


async def test_a_token_that_expires_closes_its_sockets(room: Room, store: Store):
    soon = datetime.now(UTC) + timedelta(seconds=2)
    token = await token_for(store, await account(store, "visitor"), expires_at=soon)
    async with room.open(token) as client, room.open(signed(exp=int(time.time()) + 2)) as user:
        assert await turned_away(client) == (1008, "The token has expired")
        assert await turned_away(user) == (1008, "The token has expired")


async def test_an_app_that_believes_another_secret_closes_its_users_sockets(room: Room, owner):
    async with room.open(signed()) as user, room.open() as service:
        changed = await owner.patch(
            f"/v1/{room.app.public_id}/config", json={"end_users": {"jwt_secret": SECRET[::-1]}}
        )
        assert changed.status_code == 200
        assert (await turned_away(user))[0] == 1008
        assert (await service.ask('{"type":"ping"}')) == {"type": "pong"}


async def test_a_paused_tenant_has_no_sockets(room: Room, store: Store, bus: Bus):
    token = await token_for(store, await account(store, "pat", tenant="paused", role="admin"))
    app = await Apps(store, "paused").add("site", name="Site")
    async with room.door.socket(room.door.url(app.public_id), token) as client:
        assert (await client.hear())["type"] == "connected"
        await tenants.change(store, "paused", is_active=False)
        await bus.send(subjects.identity("paused"), IdentityChanged(tenant="paused"))
        assert await turned_away(client) == (1013, "This app is paused")
    async with room.door.socket(room.door.url(app.public_id), token) as client:
        assert await turned_away(client) == (1013, "This app is paused")


async def test_a_tenant_has_so_many_sockets_and_no_more(room: Room, store: Store):
    token = await token_for(store, await account(store, "crowd", tenant="crowded", role="admin"))
    app = await Apps(store, "crowded").add("site", name="Site")
    url = room.door.url(app.public_id)
    async with asyncio.timeout(30):
        opened = [
            await websockets.connect(url, additional_headers={"Authorization": f"Bearer {token}"})
            for _ in range(TENANT_SOCKETS)
        ]
    async with room.door.socket(url, token) as client:
        assert await turned_away(client) == (1013, "Too many sockets are open")
    async with room.open() as other:
        assert await other.ask('{"type":"ping"}') == {"type": "pong"}
    for socket in opened:
        await socket.close()
    await room.handle(echo)
    async with room.door.socket(url, token) as client:
        assert (await client.hear())["type"] == "connected"
        assert (await client.ask(event("chat")))["message"] == "No handler for event: chat"


async def test_the_api_passes_sockets_on(room: Room):
    """One address is enough; what is refused behind it is refused before it."""
    await room.handle(echo, "chat")
    front = Door(room.platform.url, room.door.token)
    async with front.open(room.app) as client:
        assert (await client.ask(event("chat", 5)))["data"] == 5
        await client.socket.send(b"bytes")
        assert (await client.closed())[0] == 1003
    with pytest.raises(websockets.InvalidStatus):
        async with front.socket(front.url("app_zzzzzzzzzzzz"), front.token):
            pass
