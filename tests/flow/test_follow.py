"""Following the events of a function on a real nats-server."""

import asyncio

from shared import embedded
from shared.bus import broker
from shared.bus.broker import Bus
from shared.bus.follow import Follower, held
from tests.flow.commands import command
from tests.flow.test_log import stored_in_the_end

SUBJECT = "events.acme.f.finished"


async def put(bus: Bus, *names: str, subject: str = SUBJECT) -> list[int]:
    return [(await bus.store(subject, command(name), id=name)).sequence for name in names]


async def taken(follower: Follower, count: int) -> list[int]:
    found = []
    async with asyncio.timeout(20):
        while len(found) < count:
            came = await follower.next(within_s=1.0)
            if came is not None:
                found.append(came.sequence)
    return found


async def test_nothing_is_asked_for_before_what_came_is_taken(bus: Bus) -> None:
    before = (await held(bus)).last_seq
    sequences = await put(bus, *(f"slow-{number}" for number in range(200)))
    await put(bus, "another's", subject="events.acme.g.finished")
    follower = Follower(bus, SUBJECT, after=before)
    await follower.open()
    try:
        assert await taken(follower, 1) == sequences[:1]
        consumers = await bus.stream.consumers_info("EVENTS")
        sent = [info.delivered.stream_seq for info in consumers if info.name == follower._consumer and info.delivered]
        assert sent
        assert sent[0] <= sequences[63]
        assert await taken(follower, 199) == sequences[1:]
        assert await follower.next(within_s=0.1) is None
    finally:
        await follower.close()
    assert not [info for info in await bus.stream.consumers_info("EVENTS") if info.name == follower._consumer]


async def test_a_follower_goes_on_after_the_server_was_away(nats_server: embedded.Nats) -> None:
    """Its consumer lives in the server's memory: it is made anew, and nothing is missed or comes twice."""
    async with broker.connect(nats_server.url, name="follower", timeout_s=2) as bus:
        first = await put(bus, *(f"away-{number}" for number in range(40)))
        follower = Follower(bus, SUBJECT, after=first[0] - 1)
        await follower.open()
        assert await taken(follower, 10) == first[:10]
        await nats_server.stop()
        await nats_server.start()
        await stored_in_the_end(bus, "the server is back")
        more = await put(bus, "after-0", "after-1")
        assert await taken(follower, 32) == [*first[10:], *more]
        await follower.close()
