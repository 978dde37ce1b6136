"""What a call pushes to its app's channels: now, to whoever listens, within bounds."""

import asyncio

import msgspec
import pytest

from services.executor.mode import Call
from shared import embedded
from shared.bus import subjects
from shared.bus.channels import Ear
from shared.bus.notices import Pushed
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem
from tests.executor_host.platform import TENANT, Shoal, answered, running


async def listening(shoal: Shoal, channel: str) -> asyncio.Queue[Pushed]:
    """What comes to a channel of the shop's from now on."""
    heard: asyncio.Queue[Pushed] = asyncio.Queue()
    subject = subjects.channel(TENANT, shoal.app.id, channel)
    await Ear(shoal.bus).hear(subject, lambda data: heard.put_nowait(msgspec.json.decode(data, type=Pushed)))
    return heard


async def test_whoever_listens_on_the_functions_own_app_gets_it(shoal: Shoal):
    heard = await listening(shoal, "räume/1")

    async def handler(call: Call) -> Outcome:
        assert call.host is not None
        for number in range(100):
            await call.host.publish("räume/1", b'{"n": %d}' % number, event="step")
        return answered(b"done")

    assert (await shoal.call(await shoal.function("Teller", handler))).status == "SUCCESS"
    async with asyncio.timeout(10):
        told = [await heard.get() for _ in range(100)]
    assert [bytes(pushed.payload) for pushed in told] == [b'{"n":%d}' % number for number in range(100)]
    assert {(pushed.tenant, pushed.app, pushed.channel, pushed.event) for pushed in told} == {
        (TENANT, shoal.app.id, "räume/1", "step")
    }


@pytest.mark.parametrize(
    ("channel", "payload", "event", "code"),
    [
        ("", b"1", "", "invalid"),
        ("c" * 201, b"1", "", "invalid"),
        ("a\nb", b"1", "", "invalid"),
        ("c", b"1", "e" * 101, "invalid"),
        ("c", b"{", "", "invalid"),
        ("c", b'"\xff"', "", "invalid"),
        ("c", b'"\\ud800"', "", "invalid"),
        ("c", b"[" * 100_000, "", "invalid"),
        ("c", b'"%s"' % (b"x" * 65_535), "", "too_large"),
    ],
)
async def test_what_cannot_be_pushed(shoal: Shoal, channel: str, payload: bytes, event: str, *, code: str):
    async def handler(call: Call) -> Outcome:
        assert call.host is not None
        with pytest.raises(Problem) as raised:
            await call.host.publish(channel, payload, event=event)
        return answered(raised.value.code.encode())

    outcome = await shoal.call(await shoal.function("Teller", handler))
    assert outcome.response is not None
    assert outcome.response.body == code.encode()


async def test_a_call_publishes_no_more_often_than_may_be(host_servers: embedded.Servers):
    async with running(host_servers, publishes=3, publish_bytes=10) as shoal:

        async def handler(call: Call) -> Outcome:
            assert call.host is not None
            with pytest.raises(Problem, match="over the limit of 10 bytes"):
                await call.host.publish("c", b'"123456789"')
            for _ in range(2):
                await call.host.publish("c", b'"12345678"')
            with pytest.raises(Problem, match="A call may publish 3 times") as raised:
                await call.host.publish("c", b"1")
            return answered(raised.value.code.encode())

        function = await shoal.function("Teller", handler)
        for _ in range(2):  # each call for itself
            outcome = await shoal.call(function)
            assert outcome.response is not None
            assert outcome.response.body == b"rate_limited"
