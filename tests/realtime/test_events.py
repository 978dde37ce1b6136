"""What a client says and is answered."""

import asyncio
import json
from typing import Any

import pytest
import websockets

from shared.domain.outcome import Outcome, failure
from shared.domain.request import Response
from tests.api.apps.edge import signed
from tests.api.apps.scripted import Scripted
from tests.realtime.clients import event
from tests.realtime.conftest import IN_FLIGHT, TENANT_EVENTS, Room
from tests.realtime.scripts import Gated, body, echo, said


async def test_the_first_frame_says_who_is_connected(room: Room):
    async with room.socket(room.door.token) as client:
        hello = await client.hear()
    assert hello.pop("connection_id")
    assert hello == {"type": "connected", "app_id": room.app.public_id, "role": "service"}


async def test_an_event_is_a_request_to_its_function(room: Room, scripted: Scripted):
    name = await room.handle(echo, "chat")
    async with room.socket(room.door.token) as client:
        connection = (await client.hear())["connection_id"]
        answer = await client.ask(event("chat", {"text": "hé"}, id="a-1"))
    assert answer == {"type": "event_response", "event": "chat", "data": {"text": "hé"}, "id": "a-1"}
    request, dispatch = scripted.asked[name], scripted.raw[name]
    assert (request.method, request.path, request.ip) == ("POST", "/realtime", "127.0.0.1")
    assert json.loads(request.body) == {"event": "chat", "payload": {"text": "hé"}}
    assert scripted.line(name, "content-type") == ["application/json"]
    assert scripted.line(name, "x-connection-id") == [connection]
    assert dispatch.trigger_type == "websocket"
    assert dispatch.user is not None
    assert dispatch.actor is not None
    assert dispatch.actor.kind == "service_key"


async def test_a_function_sees_the_end_user(room: Room, scripted: Scripted):
    name = await room.handle(echo, "chat")
    async with room.door.socket(room.door.url(room.app.public_id, signed(room="blue"))) as client:
        assert (await client.hear())["role"] == "user"
        await client.ask(event("chat"))
    dispatch = scripted.raw[name]
    assert dispatch.user is None
    assert dispatch.actor is not None
    assert (dispatch.actor.kind, dispatch.actor.user_id) == ("end_user_jwt", "user-7")
    assert dispatch.actor.claims["room"] == "blue"


@pytest.mark.parametrize("id", ["x", 7, -1.5, True, False])
async def test_the_clients_own_id_comes_back(room: Room, id: Any):
    await room.handle(echo, "chat")
    async with room.open() as client:
        assert (await client.ask(event("chat", 1, id=id)))["id"] == id
        assert (await client.ask(event("other", id=id)))["id"] == id


@pytest.mark.parametrize("id", [None, {"a": 1}, [1], "x" * 1000])
async def test_what_is_no_scalar_or_too_long_is_no_id(room: Room, id: Any):
    await room.handle(echo, "chat")
    async with room.open() as client:
        assert "id" not in await client.ask(event("chat", 1, id=id))


WRONG = [
    ("{", "Invalid JSON"),
    ("", "Invalid JSON"),
    ("null", "Invalid JSON"),
    ("[1]", "Invalid JSON"),
    ("7", "Invalid JSON"),
    ('"text"', "Invalid JSON"),
    ("{" * 20_000, "Invalid JSON"),
    ('{"type":"event","event":"x","payload":' + "[" * 20_000 + "]" * 20_000 + "}", "Invalid JSON"),
    ('{"type":"evnt"}', "Unknown message type: evnt"),
    ('{"type":null}', "Unknown message type: null"),
    ('{"type":{"a":1}}', 'Unknown message type: {"a":1}'),
    ('{"type":"event"}', 'Missing "event" field'),
    ('{"type":"event","event":""}', 'Missing "event" field'),
    ('{"type":"event","event":5}', 'Missing "event" field'),
    ('{"anything":1}', 'Missing "event" field'),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=[text[:24] + f"-{len(text)}" for text, _ in WRONG])
async def test_what_cannot_be_understood_is_an_error(room: Room, text: str, message: str):
    await room.handle(echo, "chat")
    async with room.open() as client:
        assert await client.ask(text) == {"type": "error", "message": message}
        assert (await client.ask(event("chat", 1)))["data"] == 1


async def test_nobody_handles_it(room: Room):
    await room.handle(echo, "chat")
    async with room.open() as client:
        answer = await client.ask(event("other", id=3))
    assert answer == {"type": "error", "message": "No handler for event: other", "event": "other", "id": 3}


async def test_an_empty_config_takes_whatever_comes(room: Room):
    await room.handle(lambda dispatch: said(body(dispatch)))
    async with room.open() as client:
        assert (await client.ask(event("any", 1)))["data"] == {"event": "any", "payload": 1}
        answer = await client.ask('{"temperature": 20.5, "id": 9}')
    data = {"event": None, "payload": {"temperature": 20.5, "id": 9}}
    assert answer == {"type": "event_response", "event": None, "data": data, "id": 9}


async def test_each_matching_function_answers_by_name_in_order(room: Room):
    first, last = Gated(), Gated()
    names = [await room.handle(first, "chat"), await room.handle(lambda _: failure("ValueError", "no"), "chat")]
    names += [await room.handle(last), await room.handle(echo, "other")]
    async with room.open() as client:
        await client.say(event("chat", 1, id=2))
        await last.until(1)
        last.let(1)
        first.let(1)
        answers = [await client.hear() for _ in range(3)]
    assert [answer["function"] for answer in answers] == names[:3]
    assert [answer["type"] for answer in answers] == ["event_response", "error", "event_response"]
    assert answers[1]["message"] == "Event handler execution failed"
    assert [answer["id"] for answer in answers] == [2, 2, 2]


OUTCOMES: list[tuple[Outcome, dict[str, Any]]] = [
    (said([1], 201), {"data": [1]}),
    (said({"error": "no"}, 422), {"data": {"error": "no"}, "status": 422}),
    (Outcome(status="SUCCESS", response=Response(body=b"plain")), {"data": "plain"}),
    (Outcome(status="SUCCESS", response=Response(status=204)), {"data": None}),
    (failure("TimeoutError", "too long"), {"message": "Event handler execution failed", "reason": "TimeoutError"}),
    (
        Outcome(status="SUCCESS", response=Response(streamed=True)),
        {"message": "Event handler execution failed", "reason": "StreamedAnswer"},
    ),
]


@pytest.mark.parametrize(("outcome", "told"), OUTCOMES, ids=range(len(OUTCOMES)))
async def test_what_a_handler_ends_with(room: Room, outcome: Outcome, told: dict[str, Any]):
    await room.handle(lambda _: outcome, "chat")
    kind = "error" if "message" in told else "event_response"
    async with room.open() as client:
        assert await client.ask(event("chat", id=1)) == {"type": kind, "event": "chat", "id": 1, **told}


async def test_answers_come_in_the_order_of_the_frames(room: Room):
    gated = Gated()
    await room.handle(gated, "chat")
    async with room.open() as client:
        await client.say(event("chat", 0), event("chat", 1), "{", event("chat", 2))
        await gated.until(3)
        assert gated.came == [0, 1, 2]
        gated.let(2, 1)
        assert await client.ask('{"type":"ping"}') == {"type": "pong"}  # which waits for nobody
        gated.let(0)
        answers = [await client.hear() for _ in range(4)]
    assert [answer.get("data", answer.get("message")) for answer in answers] == [0, 1, "Invalid JSON", 2]


async def test_only_so_many_are_under_way_and_then_nothing_is_read(room: Room):
    gated = Gated()
    await room.handle(gated, "chat")
    filler = json.dumps({"type": "nothing", "filler": "x" * 60_000})
    async with room.open() as client:
        await client.say(*(event("chat", number) for number in range(IN_FLIGHT)))
        await gated.until(IN_FLIGHT)
        flood = asyncio.create_task(client.say(*[filler] * 2000))
        assert not (await asyncio.wait({flood}, timeout=3))[0]  # it fills up on the way, whatever the system keeps
        assert len(gated.came) == IN_FLIGHT
        gated.let(*range(IN_FLIGHT))
        assert [(await client.hear())["data"] for _ in range(IN_FLIGHT)] == list(range(IN_FLIGHT))
        assert (await client.hear())["message"] == "Unknown message type: nothing"
        flood.cancel()


async def test_another_sockets_slow_handler_holds_nobody_up(room: Room):
    gated = Gated()
    await room.handle(gated, "slow")
    await room.handle(echo, "quick")
    async with room.open() as slow, room.open() as quick:
        await slow.say(event("slow", 1))
        await gated.until(1)
        assert (await quick.ask(event("quick", 2)))["data"] == 2
        gated.let(1)
        assert (await slow.hear())["data"] == 1


async def test_frames_sent_with_the_open_are_not_lost(room: Room):
    await room.handle(echo, "chat")
    async with room.socket(room.door.token) as client:
        await client.say(*(event("chat", number) for number in range(20)))
        assert (await client.hear())["type"] == "connected"
        assert [(await client.hear())["data"] for _ in range(20)] == list(range(20))


async def test_what_was_sent_before_a_close_runs(room: Room):
    gated = Gated()
    await room.handle(gated, "chat")
    async with room.open() as client:
        await client.say(event("chat", "last words"))
    await gated.until(1)
    gated.let("last words")


async def test_a_frame_in_pieces_is_one(room: Room):
    await room.handle(echo, "chat")
    async with room.open() as client:
        text = event("chat", "ü" * 100)
        await client.socket.send([text[:30], text[30:31], "", text[31:]])
        assert (await client.hear())["data"] == "ü" * 100


async def test_a_token_in_the_path_reaches_no_log_and_no_function(room: Room, scripted: Scripted, realtime: Any):
    name = await room.handle(echo, "chat")
    async with room.door.socket(room.url(token=room.door.token)) as client:
        await client.hear()
        await client.ask(event("chat"))
    with pytest.raises(websockets.InvalidStatus):
        async with room.door.socket(room.door.url("app_000000000000", room.door.token)):
            pass
    seen = repr(scripted.raw[name]) + repr(scripted.asked[name]) + realtime.log.read_text()
    printed = realtime.log.read_text().count(room.door.token)
    assert seen.count(room.door.token) == printed
    assert "?token" not in seen


async def test_frames_of_functions_elsewhere_are_nobodys(room: Room, owner: Any):
    await room.handle(echo)
    made = await owner.post("/api/apps/", json={"name": f"Beside {room.app.slug}", "slug": f"beside-{room.app.slug}"})
    assert made.status_code == 201
    async with room.door.socket(room.door.url(f"beside-{room.app.slug}"), room.door.token) as client:
        assert (await client.hear())["type"] == "connected"
        assert (await client.ask(event("chat")))["message"] == "No handler for event: chat"


async def test_a_python_function_answers(room: Room, owner: Any):
    code = (
        "def handler(request, ctx):\n"
        " return {'event': request.json()['event'], 'kind': request.headers.get('x-trigger-type'), 'user': ctx.user}"
    )
    fields = {"name": "chat", "runtime": "python", "code": code, "trigger": "websocket"}
    made = await owner.post(f"/v1/{room.app.public_id}/functions", json=fields)
    assert made.status_code == 200, made.text
    async with room.door.socket(room.door.url(room.app.public_id, signed())) as client:
        await client.hear()
        answer = await client.ask(event("hello"))
    assert answer["data"]["event"] == "hello"
    assert answer["data"]["kind"] == "websocket"
    assert answer["data"]["user"]["id"] == "user-7"


async def test_a_tenant_has_so_many_events_under_way_and_no_more(room: Room):
    gated = Gated()
    await room.handle(gated, "chat")
    async with room.open() as one, room.open() as two, room.open() as three:
        for number, client in enumerate((one, two)):
            await client.say(*(event("chat", f"{number}-{at}") for at in range(IN_FLIGHT)))
            await gated.until(min(IN_FLIGHT * (number + 1), 8))  # as many as the executor has hands
        await three.say(*(event("chat", f"2-{at}") for at in range(IN_FLIGHT - 1)))
        assert await three.ask('{"type":"ping"}') == {"type": "pong"}  # those before it have been taken
        room_left = TENANT_EVENTS - 2 * IN_FLIGHT
        gated.let(*(f"{number}-{at}" for number in range(3) for at in range(IN_FLIGHT)))
        answers = [await three.hear() for _ in range(IN_FLIGHT - 1)]
        assert [answer["type"] for answer in answers] == ["event_response"] * room_left + ["error"] * (
            IN_FLIGHT - 1 - room_left
        )
        assert answers[-1]["reason"] == f"{TENANT_EVENTS} events are under way already"
        assert (await three.ask(event("chat", "2-0")))["data"] == "2-0"


async def test_an_idempotency_key_makes_a_message_one(room: Room, owner: Any):
    code = "import random\n\ndef handler(request, ctx):\n    return {'made': random.random()}"
    await room.handle(echo, "other")
    deployed = await owner.post(
        f"/v1/{room.app.public_id}/functions",
        json={
            "name": "made-once", "runtime": "python", "code": code,
            "triggers": [{"type": "websocket", "config": {"event": "made"}}],
        },
    )  # fmt: skip
    assert deployed.status_code == 200, deployed.text
    message = event("made", {"a": 1}, id=1, idempotency_key="k-1")
    async with room.open() as client:
        first = await client.ask(message)
        second = await client.ask(message)
        assert first["type"] == "event_response"
        assert (second.pop("replayed"), second) == (True, first)
        other = await client.ask(event("made", {"a": 2}, id=2, idempotency_key="k-1"))
        assert (other["type"], other["id"]) == ("error", 2)
        assert "was used for another request" in other["reason"]
    async with room.open() as again:  # on another socket
        assert (await again.ask(message))["data"] == first["data"]
        assert (await again.ask(event("made", {"a": 1})))["data"] != first["data"]


@pytest.mark.parametrize("key", ["", "a b", 7, "x" * 256, ["k"]])
async def test_what_is_no_idempotency_key(room: Room, key: Any):
    await room.handle(echo, "chat")
    async with room.open() as client:
        told = await client.ask(event("chat", 1, id=1, idempotency_key=key))
    assert (told["type"], told["id"]) == ("error", 1)
    assert told["message"] == "idempotency_key has 1 to 255 visible ASCII characters, and no spaces"
