"""For whom a call is made, and what he and the plugin's owner have set: as new as it has to be, and no other's."""

import asyncio
from typing import Any

import msgspec
import pytest

from services.executor.mode import Call, Person, Unavailable
from services.executor.valves import Valves
from shared import valves
from shared.bus.messages import Dispatch
from shared.domain.caller import User
from shared.domain.function import Function
from shared.domain.outcome import Outcome
from shared.domain.plugin import Plugin, user_valves_place, valves_place
from shared.domain.problem import Problem
from shared.secrets import Keyring
from shared.store.functions import Functions
from shared.store.user_valves import UserValves
from shared.store.users import Draft, Users
from tests.executor_host.platform import KEYRING, TENANT, USER, Shoal, answered

PLUGIN = Plugin(key="tuner", kind="filter", user_id=1, has_valves=True, has_user_valves=True)


async def told(call: Call) -> Outcome:
    assert call.host is not None
    person = await call.host.person()
    return answered(msgspec.json.encode([person, (await call.host.valves()).decode()]))


async def seen(shoal: Shoal, function: Function, user: User | None = USER) -> tuple[Person | None, str]:
    outcome = await (await shoal.begun(function, user=user)).outcome()
    assert outcome is not None
    assert outcome.response is not None, outcome.message
    return msgspec.json.decode(outcome.response.body, type=tuple[Person | None, str])


async def keep(shoal: Shoal, function: Function, text: str, *, keyring: Keyring = KEYRING) -> None:
    place = user_valves_place(TENANT, function.id, USER.id)
    await UserValves(shoal.store, TENANT).keep(
        function.id, USER.id, valves.kept(text.encode(), keyring, place=place, secret=False)
    )


async def test_what_a_user_has_set_is_seen_by_his_next_call(shoal: Shoal):
    function = await shoal.function("tuner", told, plugin=PLUGIN)
    assert (await seen(shoal, function))[0] == Person(id="7", email="ann@acme.test", name="ann")
    for number in range(20):
        await keep(shoal, function, f'{{"n":{number}}}')
        person, _ = await seen(shoal, function)
        assert person is not None
        assert person.valves == b'{"n":%d}' % number


async def test_nobody_sees_what_another_has_set(shoal: Shoal):
    function = await shoal.function("tuner", told, plugin=PLUGIN)
    other = await shoal.function("other", told, plugin=msgspec.structs.replace(PLUGIN, key="other"))
    await keep(shoal, function, '{"mine":1}')
    for which, user in ((function, User(8, "bob", "")), (other, USER)):
        person, _ = await seen(shoal, which, user)
        assert person is not None
        assert person.valves == b"{}"


async def test_a_user_with_an_account(shoal: Shoal):
    draft = Draft(username="ada", email="ada@acme.test", role="admin", full_name="Ada L.")
    account = await Users(shoal.store, TENANT).add(draft)
    function = await shoal.function("tuner", told, plugin=PLUGIN)
    person, _ = await seen(shoal, function, account.user)
    assert person == Person(id=str(account.id), email="ada@acme.test", name="Ada L.", role="admin")


async def test_an_end_user_has_none(shoal: Shoal):
    function = await shoal.function("tuner", told, plugin=PLUGIN)
    assert (await seen(shoal, function, None))[0] == Person(id="eve")


async def test_the_plugins_own(shoal: Shoal):
    function = await shoal.function("tuner", told, plugin=PLUGIN)
    assert (await seen(shoal, function))[1] == "{}"
    for number in range(3):
        text = valves.kept(b'{"n":%d}' % number, KEYRING, place=valves_place(TENANT, function.id), secret=False)
        plugin = msgspec.structs.replace(PLUGIN, valves=text)
        function = await Functions(shoal.store, TENANT).change(function.slug, {"plugin": msgspec.to_builtins(plugin)})
        assert (await seen(shoal, function))[1] == f'{{"n":{number}}}'


async def test_valves_that_cannot_be_opened_fail_the_call(shoal: Shoal):
    function = await shoal.function("tuner", told, plugin=PLUGIN)
    await keep(shoal, function, '{"key":"s3cret"}', keyring=Keyring([b"x" * 32]))
    outcome = await shoal.call(function)
    assert (outcome.error_type, "s3cret" in outcome.message) == ("SecretUnreadable", False)
    stolen = valves.kept(b"{}", KEYRING, place=valves_place(TENANT, function.id + 100), secret=False)
    moved = await shoal.function("moved", told, plugin=msgspec.structs.replace(PLUGIN, key="moved", valves=stolen))
    assert (await shoal.call(moved)).error_type == "SecretUnreadable"


class Waiting(Valves):
    """Reads that go on when they are told to, in whatever order; one that is given a Problem fails by it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.begun: list[asyncio.Future[str]] = []
        self.more = asyncio.Event()

    async def _stored(self, key: Any) -> str:
        self.begun.append(asyncio.get_running_loop().create_future())
        self.more.set()
        return await self.begun[-1]

    async def reads(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.begun) < count:
                self.more.clear()
                await self.more.wait()


@pytest.fixture
async def reading(shoal: Shoal) -> tuple[Waiting, Dispatch, Function]:
    function = await shoal.function("tuner", told, plugin=PLUGIN)
    await shoal.call(await shoal.function("first", told))
    (call,) = shoal.modes[0].calls
    dispatch = call.host._dispatch  # type: ignore[union-attr]
    return Waiting(shoal.store, KEYRING, cache_s=30), dispatch, function


Reading = tuple[Waiting, Dispatch, Function]
AWAY = Problem("unavailable", "the store is away")


async def values(reading: Reading) -> bytes:
    person = await reading[0].person(reading[1], reading[2])
    assert person is not None
    return person.valves


async def test_a_call_does_not_join_a_read_that_began_before_it(reading: Reading):
    waiting = reading[0]
    older = asyncio.create_task(values(reading))
    await waiting.reads(1)
    newer = asyncio.create_task(values(reading))  # its user has just been told that the new ones are kept
    await waiting.reads(2)
    waiting.begun[1].set_result('{"n":2}')
    assert await newer == b'{"n":2}'
    waiting.begun[0].set_result('{"n":1}')
    assert await older == b'{"n":1}'
    away = asyncio.create_task(values(reading))
    await waiting.reads(3)
    waiting.begun[2].set_exception(AWAY)
    assert await away == b'{"n":2}'  # of what is known the newest


async def test_a_store_that_is_away(reading: Reading):
    waiting = reading[0]
    first = asyncio.create_task(values(reading))
    await waiting.reads(1)
    waiting.begun[0].set_exception(AWAY)
    with pytest.raises(Unavailable, match="the store is away"):
        await first
    second = asyncio.create_task(values(reading))
    await waiting.reads(2)
    waiting.begun[1].set_result('{"n":1}')
    assert await second == b'{"n":1}'
    third = asyncio.create_task(values(reading))
    await waiting.reads(3)
    waiting.begun[2].set_exception(AWAY)
    assert await third == b'{"n":1}'
    # What does not answer at all is waited for no longer than a moment, once it is known to be away.
    async with asyncio.timeout(5):
        assert await values(reading) == b'{"n":1}'
    assert not waiting.begun[3].done()
    waiting.begun[3].set_result('{"n":2}')
    last = asyncio.create_task(values(reading))
    await waiting.reads(5)
    waiting.begun[4].set_result('{"n":3}')
    assert await last == b'{"n":3}'


async def test_a_plugin_without_user_valves_reads_none(reading: Reading):
    waiting, dispatch, function = reading
    plain = msgspec.structs.replace(function, plugin=msgspec.structs.replace(PLUGIN, has_user_valves=False))
    assert await values((waiting, dispatch, plain)) == b"{}"
    assert waiting.begun == []
