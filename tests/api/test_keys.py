"""Idempotency keys, from inside: who dies in between, at any point, leaves one invocation, or none yet.

On a bus whose commands nobody routes.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from shared import embedded, idempotency
from shared.bus import broker, streams
from shared.bus.broker import Bus
from shared.bus.messages import Invoke
from shared.bus.notices import Keyed
from shared.domain.caller import User
from shared.domain.function import SYSTEM_ID, Function
from shared.domain.idempotency import (
    Key,
    KeyReusedError,
    checked,
    digest_of,
    of_asker,
    of_function,
    of_user,
    print_of_params,
    print_of_request,
)
from shared.domain.problem import Problem
from shared.domain.request import Actor, Request
from shared.idempotency import Found, Idempotency, Ready
from shared.store import invocations
from shared.store.client import Store, Upsert
from shared.submit import Origin, new_task_id, submit
from tests.flow.commands import BOUNDS

NOW = datetime.now(UTC)
FUNCTION = Function(
    id=7, tenant="keyed", app=1, app_slug="a", app_name="A", name="F", slug="f", execution_mode="app",
    created_at=NOW, updated_at=NOW,
)  # fmt: skip
KEY = Key("k-1", "user/7", "print")


class Waits:
    """Counts who waits."""

    def __init__(self) -> None:
        self.given_up = False

    def give_up(self) -> None:
        self.given_up = True


class Caller:
    """One who sends a key, and remembers what he waited for."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self.idempotency = Idempotency(bus, store)
        self.waits: list[Waits] = []

    def prepare(self, task_id: str, again: bool) -> Ready[Waits]:
        self.waits.append(Waits())
        return Ready(msgspec.Raw(b"{}"), Origin(trigger_type="api"), self.waits[-1])

    async def send(self, key: Key = KEY, *, function: Function = FUNCTION) -> Found[Waits]:
        return await self.idempotency.submit(function, key, task_id=new_task_id(), prepare=self.prepare)

    def left(self) -> int:
        return sum(not wait.given_up for wait in self.waits)


@pytest.fixture(scope="module")
async def nats_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    server = embedded.Nats(tmp_path_factory.mktemp("keys"))
    await server.start()
    yield server.url
    await server.stop()


@pytest.fixture(scope="module")
async def quiet(nats_url: str) -> AsyncIterator[Bus]:
    async with broker.connect(nats_url, name="test", timeout_s=5) as bus:
        for stream in streams.streams(BOUNDS, first_invocation=1):
            await bus.ensure_stream(stream)
        yield bus


@pytest.fixture(autouse=True)
async def empty(quiet: Bus, store: Store) -> None:
    for name in (streams.INVOKE, streams.KEYS):
        await quiet.stream.purge_stream(name)
    await invocations.Invocations(store, FUNCTION.tenant).delete_of(FUNCTION.id)


@pytest.fixture
def caller(quiet: Bus, store: Store) -> Caller:
    return Caller(quiet, store)


@pytest.fixture
async def elsewhere(nats_url: str, store: Store) -> AsyncIterator[Caller]:
    """Another process, as far as the bus can tell."""
    async with broker.connect(nats_url, name="replica", timeout_s=5) as bus:
        yield Caller(bus, store)


async def commands(bus: Bus) -> int:
    return int((await bus.stream.stream_info(streams.INVOKE)).state.messages)


async def recorded(store: Store, task_id: str, **end: Any) -> None:
    document = {
        "_id": task_id, "id": 1, "tenant": FUNCTION.tenant, "function_id": FUNCTION.id, "function_name": "F",
        "function_slug": "f", "trigger_type": "api", "status": "PENDING", "created_at": NOW, **end,
    }  # fmt: skip
    await invocations.write(store, [Upsert({"_id": task_id}, {"$set": end or {"status": "PENDING"}}, document)])


async def entry(bus: Bus) -> Keyed:
    found = await bus.last(streams.KEYS, "keys.>", Keyed)
    assert found is not None
    return found.body


async def aged(bus: Bus, seconds: float) -> None:
    """The one entry there is, made earlier by so much."""
    message = await bus.stream.get_last_msg(streams.KEYS, "keys.>")
    known = msgspec.json.decode(message.data or b"", type=Keyed)
    older = msgspec.structs.replace(known, at=known.at - seconds)
    await bus.replace(str(message.subject), older, last=message.seq or 0)


async def forgotten(bus: Bus) -> None:
    """Until the bus does not know the message id any more of what was sent before this."""
    task_id, origin = new_task_id(), Origin(trigger_type="api")
    async with asyncio.timeout(10):
        await submit(bus, FUNCTION, task_id=task_id, params=msgspec.Raw(b"{}"), origin=origin)
        while (await submit(bus, FUNCTION, task_id=task_id, params=msgspec.Raw(b"{}"), origin=origin)).repeated:
            await asyncio.sleep(0.05)


async def dies(caller: Caller, monkeypatch: pytest.MonkeyPatch, *, sent: bool) -> None:
    """One claims the key and is gone before, or just after, its command is on disk."""

    async def dying(*args: Any, **named: Any) -> Any:
        if sent:
            await submit(*args, **named)
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "submit", dying)
        with pytest.raises(ZeroDivisionError):
            await caller.send()


async def test_a_key_is_one_invocation(caller: Caller, quiet: Bus) -> None:
    first, second = await caller.send(), await caller.send()
    assert (first.replayed, second.replayed) == (False, True)
    assert (first.accepted.task_id, first.accepted.id) == (second.accepted.task_id, second.accepted.id)
    assert first.accepted.accepted_at == second.accepted.accepted_at
    assert await commands(quiet) == 1
    assert caller.left() == 2  # both wait for it


async def test_fifty_at_once_in_two_processes(caller: Caller, elsewhere: Caller, quiet: Bus) -> None:
    found = await asyncio.gather(*((caller, elsewhere)[number % 2].send() for number in range(50)))
    assert sorted(one.replayed for one in found) == [False] + [True] * 49
    assert len({one.accepted.task_id for one in found}) == 1
    assert len({one.accepted.accepted_at for one in found}) == 1
    assert await commands(quiet) == 1


async def test_the_same_key_for_something_else_is_refused(caller: Caller, quiet: Bus) -> None:
    await caller.send()
    with pytest.raises(KeyReusedError):
        await caller.send(msgspec.structs.replace(KEY, fingerprint="another"))
    assert await commands(quiet) == 1
    assert caller.left() == 1


@pytest.mark.parametrize(
    ("key", "function"),
    [
        (msgspec.structs.replace(KEY, text="k-2"), FUNCTION),
        (msgspec.structs.replace(KEY, caller="user/8"), FUNCTION),
        (KEY, msgspec.structs.replace(FUNCTION, id=8)),  # as one that was deleted and made again
        (KEY, msgspec.structs.replace(FUNCTION, tenant="rival")),
    ],
)
async def test_keys_of_two_never_meet(caller: Caller, quiet: Bus, key: Key, function: Function) -> None:
    await caller.send()
    other = await caller.send(key, function=function)
    assert not other.replayed
    assert await commands(quiet) == 2


@pytest.mark.parametrize("age_s", [0, 15, 25, 1000, 80_000])
@pytest.mark.parametrize("sent", [False, True])
async def test_one_that_died_leaves_it_to_the_next(
    caller: Caller, elsewhere: Caller, quiet: Bus, monkeypatch: pytest.MonkeyPatch, *, sent: bool, age_s: float
) -> None:
    await dies(caller, monkeypatch, sent=sent)
    task_id = (await entry(quiet)).task_id
    assert caller.left() == 0
    if not sent:  # a command that was sent keeps its time on the bus
        await aged(quiet, age_s)
    found = await asyncio.gather(*((caller, elsewhere)[number % 2].send() for number in range(10)))
    assert {one.accepted.task_id for one in found} == {task_id}
    assert sum(not one.replayed for one in found) == (0 if sent else 1)
    assert await commands(quiet) == 1
    assert (await caller.send()).replayed  # and so it stays


async def test_past_the_window_of_the_bus_the_log_is_asked(caller: Caller, quiet: Bus) -> None:
    """The bus does not know the message id any more, and the recorder has stood still: nothing runs twice.

    However short the operator has made that window.
    """
    config = (await quiet.stream.stream_info(streams.INVOKE)).config
    await quiet.stream.update_stream(config.evolve(duplicate_window=1.0))
    try:
        first = await caller.send()
        await forgotten(quiet)
        second = await caller.send()
    finally:
        await quiet.stream.update_stream(config)
    assert second.replayed
    assert (second.accepted.task_id, second.accepted.id) == (first.accepted.task_id, first.accepted.id)
    assert second.accepted.accepted_at == first.accepted.accepted_at
    assert await commands(quiet) == 3  # with the two that have shown that it has forgotten


async def test_one_that_stood_still_does_not_send(caller: Caller, quiet: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between claim and command it slept for so long that another one may have sent it, and been forgotten."""
    monkeypatch.setattr(idempotency, "_LATE_S", -1.0)
    with pytest.raises(Problem, match="held up"):
        await caller.send()
    assert await commands(quiet) == 0
    assert caller.left() == 0


@pytest.mark.parametrize("status", ["SUCCESS", "FAILURE", "CANCELLED", "EXPIRED"])
async def test_what_has_ended_is_told_from_the_record(caller: Caller, store: Store, status: str) -> None:
    first = await caller.send()
    await recorded(store, first.accepted.task_id, status=status, result='{"a":1}', error_type="E", error="why")
    again = await caller.send()
    assert again.outcome is not None
    assert (again.outcome.status, bytes(again.outcome.result), again.outcome.error) == (status, b'{"a":1}', "why")
    assert again.wait is None
    assert caller.left() == 1


async def test_what_is_on_record_and_runs_is_waited_for_however_old(caller: Caller, quiet: Bus, store: Store) -> None:
    first = await caller.send()
    await recorded(store, first.accepted.task_id, status="STARTED")
    await aged(quiet, 50_000)
    await quiet.stream.purge_stream(streams.INVOKE)
    again = await caller.send()
    assert (again.replayed, again.outcome) == (True, None)
    assert again.wait is not None
    assert await commands(quiet) == 0


async def test_with_the_store_away_nothing_is_made_twice(caller: Caller, quiet: Bus) -> None:
    away = Store("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200", database="away")
    blind = Caller(quiet, away)
    first = await blind.send()  # what is new needs no record
    assert not first.replayed
    with pytest.raises(Problem) as refused:  # it may have ended: who knows
        await blind.send()
    assert refused.value.code == "unavailable"
    await aged(quiet, 1000)
    with pytest.raises(Problem):
        await blind.send()
    assert await commands(quiet) == 1
    assert blind.left() == 1
    away.close()


async def test_with_the_store_away_what_was_left_unsent_is_sent(
    caller: Caller, quiet: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    await dies(caller, monkeypatch, sent=False)
    away = Store("mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200", database="away")
    assert not (await Caller(quiet, away).send()).replayed
    assert await commands(quiet) == 1
    away.close()


async def test_what_cannot_be_prepared_claims_nothing(caller: Caller, quiet: Bus) -> None:
    def refuses(_: str, __: bool) -> Ready[Waits]:
        raise Problem("unavailable", "too many wait")

    with pytest.raises(Problem, match="too many"):
        await caller.idempotency.submit(FUNCTION, KEY, task_id=new_task_id(), prepare=refuses)
    assert (await quiet.stream.stream_info(streams.KEYS)).state.messages == 0
    assert not (await caller.send(msgspec.structs.replace(KEY, fingerprint="another"))).replayed


class Full:
    """A queue that is full."""

    def check(self, function: Function) -> None:
        raise Problem("rate_limited", f"too many of {function.slug}", retry_after_s=5)

    def accepted(self, function: Function, sequence: int) -> None:
        raise AssertionError


async def test_what_may_not_be_queued_claims_nothing_and_what_is_known_is_not_refused(
    caller: Caller, quiet: Bus, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await caller.send()
    await recorded(store, first.accepted.task_id, status="SUCCESS")
    with monkeypatch.context() as full:
        full.setattr(quiet, "admission", Full())
        for _ in range(2):
            with pytest.raises(Problem, match="too many of f"):
                await caller.send(msgspec.structs.replace(KEY, text="another"))
        assert (await caller.send()).outcome is not None
    assert (await quiet.stream.stream_info(streams.KEYS)).state.messages == 1
    assert caller.left() == 1
    other = await caller.send(msgspec.structs.replace(KEY, text="another", fingerprint="another"))
    assert not other.replayed


@pytest.mark.parametrize("bound", ["age", "number"])
async def test_a_key_that_is_let_go_of_is_free(caller: Caller, quiet: Bus, bound: str) -> None:
    """By its age, or as the oldest of too many: then the server takes "nothing before" for true again."""
    config = (await quiet.stream.stream_info(streams.KEYS)).config
    bounds = {"max_age": 1.0} if bound == "age" else {"max_msgs": 2}
    await quiet.stream.update_stream(config.evolve(**bounds))
    try:
        first = await caller.send()
        if bound == "number":
            for number in range(2):
                await caller.send(msgspec.structs.replace(KEY, text=f"other-{number}"))
        else:
            async with asyncio.timeout(10):
                while (await quiet.stream.stream_info(streams.KEYS)).state.messages:
                    await asyncio.sleep(0.05)
        again = await caller.send(msgspec.structs.replace(KEY, fingerprint="another"))
    finally:
        await quiet.stream.update_stream(config)
    assert not again.replayed
    assert again.accepted.task_id != first.accepted.task_id


async def test_with_the_bus_away_nothing_is_claimed(nats_url: str, store: Store, quiet: Bus) -> None:
    async with broker.connect(nats_url, name="cut", timeout_s=1) as bus:
        cut = Caller(bus, store)
        await cut.send(msgspec.structs.replace(KEY, text="before"))
        await bus.client.close()
        with pytest.raises(Problem) as refused:
            await cut.send()
    assert refused.value.code == "unavailable"
    assert cut.left() == 1
    assert (await quiet.stream.stream_info(streams.KEYS)).state.messages == 1


def test_what_may_be_a_key() -> None:
    assert checked([]) == ""
    for good in ("a", "~!" * 100, "x" * 255, '"8e03978e"'):
        assert checked([good]) == good
    for bad in ([""], ["x" * 256], ["a b"], ["ä"], ["a\x7f"], ["a\t"], ["a", "a"]):
        with pytest.raises(Problem) as refused:
            checked(bad)
        assert refused.value.code == "invalid"
        assert "Idempotency-Key" in refused.value.fields


def test_callers() -> None:
    user = User(7, "ann", "ann@acme.test")
    ann = of_asker(user, Actor(kind="service_key", user_id="7"))
    assert ann == of_asker(user, Actor()) == of_user(user)
    eve, seven, nobody = (
        of_asker(None, Actor(user_id="eve")),
        of_asker(None, Actor(user_id="7")),
        of_asker(None, Actor()),
    )
    assert len({ann, eve, seven, nobody, of_function(7)}) == 5


def test_fingerprints() -> None:
    asked = Request(method="POST", path="/a", query="b=1", body=b"c", headers=[("x", "1")])
    assert print_of_request(asked) == print_of_request(msgspec.structs.replace(asked, headers=[("x", "2")], ip="::1"))
    others = [{"method": "PUT"}, {"path": "/ab"}, {"query": "b=2"}, {"body": b"d"}, {"path": "/a?b=1", "query": ""}]
    prints = {print_of_request(msgspec.structs.replace(asked, **fields)) for fields in others}
    assert len(prints | {print_of_request(asked)}) == 6
    known = {print_of_request(asked, [("cookie", f"a={number}")]) for number in range(2)}
    assert len(known | {print_of_request(asked)}) == 3
    assert print_of_params(b"{}", "", 0.0) == print_of_params(b"{}", "", 0.0)
    assert len({print_of_params(b"{}"), print_of_params(b"{ }"), print_of_params(b"{}", "u", 0.0)}) == 3


def test_system_functions_share_an_id_and_no_keys() -> None:
    one = msgspec.structs.replace(FUNCTION, id=SYSTEM_ID, slug="run_pipeline")
    other = msgspec.structs.replace(FUNCTION, id=SYSTEM_ID, slug="send_email")
    assert digest_of(one, KEY) != digest_of(other, KEY)
    renamed = msgspec.structs.replace(FUNCTION, slug="renamed")
    assert digest_of(FUNCTION, KEY) == digest_of(renamed, KEY)
    assert digest_of(FUNCTION, msgspec.structs.replace(KEY, text="a/b", caller="c")) != digest_of(
        FUNCTION, msgspec.structs.replace(KEY, text="b", caller="c/a")
    )


async def test_the_command_is_as_it_was_prepared(caller: Caller, quiet: Bus) -> None:
    at = time.time()
    found = await caller.send()
    message = await quiet.stream.get_msg(streams.INVOKE, found.accepted.id)
    command = msgspec.json.decode(message.data or b"", type=Invoke)
    assert (command.task_id, command.function_id) == (found.accepted.task_id, FUNCTION.id)
    assert (await entry(quiet)).at == pytest.approx(at, abs=60)
