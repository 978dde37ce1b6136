"""What is pushed to a channel reaches everybody who listens on it, in order, on a real bus."""

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest
from nats.aio.subscription import Subscription

from services.triggers.kinds.websocket.channels import Hub
from services.triggers.kinds.websocket.event_stream import form
from services.triggers.kinds.websocket.subscribing import Subscribing
from shared import embedded
from shared.bus import broker
from shared.bus.broker import Bus
from shared.bus.channels import push
from shared.bus.notices import Pushed
from shared.callers.edge import Asker
from shared.domain.app import App
from shared.domain.caller import Caller, User
from shared.domain.problem import Problem
from shared.domain.request import Actor

WITHIN_S = 20.0
APP = App(id=7, slug="shop", name="Shop", tenant="acme")
SERVICE = Asker(
    Actor(kind="service_key", user_id="1", key_id="k"), Caller("acme", User(1, "ann", "ann@acme.test"), "admin"), ""
)
ANN = Asker(Actor(kind="end_user_jwt", user_id="ann"), None, "")


@pytest.fixture(scope="module")
async def nats(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[embedded.Nats]:
    server = embedded.Nats(tmp_path_factory.mktemp("channels"))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def bus(nats: embedded.Nats) -> AsyncIterator[Bus]:
    async with broker.connect(nats.url, name="listener", timeout_s=5) as bus:
        yield bus


@pytest.fixture
async def other(nats: embedded.Nats) -> AsyncIterator[Bus]:
    """The bus of another process."""
    async with broker.connect(nats.url, name="pusher", timeout_s=5) as bus:
        yield bus


class Client:
    """Keeps what it is told, as JSON."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self._some = asyncio.Event()

    def deliver(self, text: str) -> None:
        self.told.append(json.loads(text))
        self._some.set()

    async def has(self, count: int) -> list[Any]:
        async with asyncio.timeout(WITHIN_S):
            while len(self.told) < count:
                self._some.clear()
                await self._some.wait()
        return self.told


def message(payload: Any, channel: str = "news", *, tenant: str = "acme", app: int = 7, event: str = "") -> Pushed:
    raw = msgspec.Raw(msgspec.json.encode(payload))
    return Pushed(tenant=tenant, app=app, channel=channel, event=event, payload=raw)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():
            await asyncio.sleep(0.005)


def subscriptions(bus: Bus) -> int:
    """Of channels, at the client of the bus."""
    return sum(one.subject.startswith("channels.") for one in bus.client._subs.values())


def subscriptions_in_memory(bus: Bus) -> int:
    return sum(type(one) is Subscription and one._conn is bus.client for one in gc.get_objects())


async def test_what_is_pushed_after_joining_is_heard_as_a_frame(bus: Bus, other: Bus) -> None:
    hub, client = Hub(bus), Client()
    await hub.join("acme", 7, "räume/1", client.deliver)
    await push(other, message({"ü": [1, None]}, "räume/1", event="said"))
    await push(other, message(None, "räume/1"))
    assert await client.has(2) == [
        {"type": "message", "channel": "räume/1", "event": "said", "payload": {"ü": [1, None]}},
        {"type": "message", "channel": "räume/1", "payload": None},
    ]


async def test_nothing_pushed_once_one_has_joined_is_missed(bus: Bus, other: Bus) -> None:
    """Joining says no more and no less than that: tried many times, with the message close behind."""
    hub = Hub(bus, grace_s=0)
    for number in range(300):
        client = Client()
        subscription = await hub.join("acme", 7, f"c{number}", client.deliver)
        await push(other, message(number, f"c{number}"))
        assert [told["payload"] for told in await client.has(1)] == [number]
        await subscription.leave()


async def test_tenants_apps_and_channels_are_apart(bus: Bus, other: Bus) -> None:
    hub, client, last = Hub(bus), Client(), Client()
    await hub.join("acme", 7, "news", client.deliver)
    await hub.join("acme", 7, "last", last.deliver)
    for pushed in (
        message(1, tenant="rival"),
        message(2, app=8),
        message(3, "News"),
        message(4, "news.*"),
        message(5, ">"),
        message(6),
        message(7, "last"),
    ):
        await push(other, pushed)
    await last.has(1)
    assert [told["payload"] for told in client.told] == [6]


async def test_a_thousand_listeners_get_a_hundred_messages_each_in_order(bus: Bus, other: Bus) -> None:
    hub = Hub(bus)
    clients = [Client() for _ in range(1000)]
    await asyncio.gather(*(hub.join("acme", 7, "news", client.deliver) for client in clients))
    assert subscriptions(bus) == 1
    for number in range(100):
        await push(other, message(number))
    for client in clients:
        assert [told["payload"] for told in await client.has(100)] == list(range(100))


async def test_who_has_left_hears_nothing_and_the_last_one_closes_the_channel(bus: Bus, other: Bus) -> None:
    hub, one, two = Hub(bus, grace_s=0.05), Client(), Client()
    first = await hub.join("acme", 7, "news", one.deliver)
    second = await hub.join("acme", 7, "news", two.deliver)
    await first.leave()
    await first.leave()
    await push(other, message(1))
    await two.has(1)
    assert (one.told, len(hub), subscriptions(bus)) == ([], 1, 1)
    await second.leave()
    assert len(hub) == 1  # for a while
    third = await hub.join("acme", 7, "news", one.deliver)
    await push(other, message(2))
    assert [told["payload"] for told in await one.has(1)] == [2]
    await third.leave()
    await until(lambda: len(hub) == 0 and subscriptions(bus) == 0)


async def test_a_channel_that_is_closed_leaves_nothing_to_the_garbage_collector(bus: Bus) -> None:
    """It comes seldom in a service: thousands of channels would be hundreds of megabytes until then."""
    hub, client = Hub(bus, grace_s=0.01), Client()
    await (await hub.join("acme", 7, "news", client.deliver)).leave()  # what is made once is there
    await until(lambda: subscriptions(bus) == 0)
    gc.collect()
    gc.disable()
    try:
        for number in range(20):
            await (await hub.join("acme", 7, f"news-{number}", client.deliver)).leave()
        await until(lambda: subscriptions(bus) == 0)
        # The clean-up of the last ones ends a moment later. Other connections of this process may leave theirs.
        await until(lambda: subscriptions_in_memory(bus) <= len(bus.client._subs) + 1)
    finally:
        gc.enable()


async def test_each_sort_of_client_has_its_own_form_of_the_same_message(bus: Bus, other: Bus) -> None:
    hub, client, texts, others = Hub(bus), Client(), asyncio.Queue[bytes](), asyncio.Queue[bytes]()
    await hub.join("acme", 7, "news", client.deliver)
    await hub.join("acme", 7, "news", others.put_nowait, form=form)
    stream = await hub.join("acme", 7, "news", texts.put_nowait, form=form)
    await push(other, message([1], event="step"))
    async with asyncio.timeout(WITHIN_S):
        told = await texts.get()
        assert told == b"event: step\ndata: [1]\n\n"
        assert await others.get() is told  # what waits for many is in memory once
    await client.has(1)
    await stream.leave()
    await push(other, message([2]))
    await client.has(2)
    assert texts.empty()


async def test_one_client_that_breaks_is_not_the_loss_of_all_behind_it(bus: Bus, other: Bus) -> None:
    def broken(text: str) -> None:
        raise RuntimeError(text)

    hub, client = Hub(bus), Client()
    await hub.join("acme", 7, "news", broken)
    await hub.join("acme", 7, "news", client.deliver)
    for number in range(2):
        await push(other, message(number))
    assert [told["payload"] for told in await client.has(2)] == [0, 1]


async def test_channels_have_bounds_and_what_is_idle_makes_room(bus: Bus) -> None:
    hub, client = Hub(bus, most=3, most_of_tenant=2, grace_s=600), Client()
    first = await hub.join("acme", 7, "a", client.deliver)
    await hub.join("acme", 7, "b", client.deliver)
    await hub.join("acme", 7, "b", client.deliver)
    with pytest.raises(Problem, match="2 channels are open already") as raised:
        await hub.join("acme", 7, "c", client.deliver)
    assert raised.value.code == "rate_limited"
    await hub.join("rival", 1, "a", client.deliver)
    with pytest.raises(Problem, match="3 channels are open already") as raised:
        await hub.join("third", 1, "a", client.deliver)
    assert raised.value.code == "unavailable"
    await first.leave()
    await hub.join("third", 1, "a", client.deliver)
    await hub.close()
    await until(lambda: len(hub) == 0 and subscriptions(bus) == 0)


async def test_who_goes_while_joining_leaves_nothing_behind(bus: Bus, other: Bus) -> None:
    hub, client = Hub(bus, grace_s=0), Client()
    for number in range(50):
        joining = asyncio.create_task(hub.join("acme", 7, f"c{number}", client.deliver))
        await asyncio.sleep(0)
        joining.cancel()
        with pytest.raises(asyncio.CancelledError):
            await joining
    await until(lambda: len(hub) == 0 and subscriptions(bus) == 0)
    await hub.join("acme", 7, "news", client.deliver)
    await push(other, message(1))
    await client.has(1)


async def test_a_bus_that_was_restarted_brings_the_next_message(nats: embedded.Nats, bus: Bus, other: Bus) -> None:
    hub, client = Hub(bus), Client()
    await hub.join("acme", 7, "news", client.deliver)
    await push(other, message(0))
    await client.has(1)
    await nats.stop()
    await until(lambda: not other.connected and not bus.connected)
    with pytest.raises(Problem) as raised:
        await push(other, message("lost"))
    assert raised.value.code == "unavailable"
    with pytest.raises(Problem) as raised:
        await hub.join("acme", 7, "more", client.deliver)
    assert raised.value.code == "unavailable"
    await nats.start()
    await until(lambda: bus.connected and other.connected)
    await hub.join("acme", 7, "more", client.deliver)  # behind what nats-py has asked for again
    await push(other, message(1))
    await push(other, message(2, "more"))
    assert sorted(told["payload"] for told in (await client.has(3))[1:]) == [1, 2]


# What a socket says of channels.

Say = Callable[..., Awaitable[dict[str, Any] | None]]


def socket_of(hub: Hub, bus: Bus, who: Asker, client: Client, *, most: int = 100) -> Subscribing:
    return Subscribing(hub, who, app=APP, bus=bus, deliver=client.deliver, most=most, most_bytes=1000)


async def test_a_socket_subscribes_publishes_and_unsubscribes(bus: Bus) -> None:
    hub, ann, service = Hub(bus), Client(), Client()
    user, server = socket_of(hub, bus, ANN, ann), socket_of(hub, bus, SERVICE, service)
    for _ in range(2):  # the second changes nothing
        assert await user.frame({"type": "subscribe", "channel": "news"}) == {"type": "subscribed", "channel": "news"}
    said = {"type": "publish", "channel": "news", "event": "e", "payload": {"a": 1}}
    assert await server.frame(said) == {"type": "published", "channel": "news"}
    assert await ann.has(1) == [{"type": "message", "channel": "news", "event": "e", "payload": {"a": 1}}]
    for _ in range(2):
        gone = await user.frame({"type": "unsubscribe", "channel": "news"})
        assert gone == {"type": "unsubscribed", "channel": "news"}
    await server.frame({"type": "subscribe", "channel": "news"})
    await server.frame({"type": "publish", "channel": "news", "payload": 2})
    assert [told["payload"] for told in await service.has(1)] == [2]
    assert len(ann.told) == 1


async def test_a_private_channel_is_one_users_and_a_services(bus: Bus) -> None:
    hub, client = Hub(bus), Client()
    user, server = socket_of(hub, bus, ANN, client), socket_of(hub, bus, SERVICE, client)
    nobody = socket_of(hub, bus, Asker(), client)
    for socket, channel, kind in (
        (user, "user:ann", "subscribed"),
        (user, "user:bob", "error"),
        (user, "user:", "error"),
        (user, "user:ann ", "error"),
        (nobody, "user:", "error"),
        (nobody, "user:ann", "error"),
        (server, "user:bob", "subscribed"),
        (user, "users:bob", "subscribed"),
    ):
        answer = await socket.frame({"type": "subscribe", "channel": channel})
        assert answer is not None
        assert answer["type"] == kind, channel


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"type": "subscribe"}, 'Missing "channel" field'),
        ({"type": "subscribe", "channel": 5}, 'Missing "channel" field'),
        ({"type": "subscribe", "channel": ""}, "channel must be 1 to 200 printable characters"),
        ({"type": "subscribe", "channel": "c" * 201}, "channel must be 1 to 200 printable characters"),
        ({"type": "unsubscribe", "channel": "a\nb"}, "channel must be 1 to 200 printable characters"),
        ({"type": "subscribe", "channel": "\ud800"}, "channel must be 1 to 200 printable characters"),
        ({"type": "publish", "channel": "c"}, 'Missing "payload" field'),
        ({"type": "publish", "channel": "c", "payload": 1, "event": 2}, "event must be a string"),
        ({"type": "publish", "channel": "c", "payload": 1, "event": "e" * 101}, "event must be up to 100 printable"),
        ({"type": "publish", "channel": "c", "payload": "x" * 1000}, "over the limit of 1000 bytes"),
    ],
)
async def test_what_a_socket_cannot_say(bus: Bus, said: dict[str, Any], error: str) -> None:
    answer = await socket_of(Hub(bus), bus, SERVICE, Client()).frame(said)
    assert answer["type"] == "error"
    assert error in answer["message"]
    msgspec.json.encode(answer)


async def test_an_end_user_publishes_through_functions_only(bus: Bus) -> None:
    answer = await socket_of(Hub(bus), bus, ANN, Client()).frame({"type": "publish", "channel": "c", "payload": 1})
    assert (answer["type"], answer["code"], answer["channel"]) == ("error", "forbidden", "c")


async def test_a_socket_has_so_many_channels_and_leaves_them_all(bus: Bus) -> None:
    hub, client = Hub(bus, grace_s=0), Client()
    socket = socket_of(hub, bus, ANN, client, most=3)
    told = [await socket.frame({"type": "subscribe", "channel": f"c{number}"}) for number in range(4)]
    assert [answer["type"] for answer in told if answer] == ["subscribed"] * 3 + ["error"]
    await socket.frame({"type": "unsubscribe", "channel": "c0"})
    again = await socket.frame({"type": "subscribe", "channel": "c3"})
    assert again == {"type": "subscribed", "channel": "c3"}
    await socket.close()
    await until(lambda: len(hub) == 0 and subscriptions(bus) == 0)
