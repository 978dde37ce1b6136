"""Functions that call functions: each an invocation of its own, found by name, bounded, and never waiting in a ring."""

import asyncio
from typing import Any

import pytest

from services.executor.mode import Call
from shared import embedded
from shared.domain.outcome import Outcome
from shared.domain.request import Request
from shared.store.functions import Functions
from tests.executor_host.platform import TENANT, USER, Shoal, answered, running


def invoking(name: str, **request: Any):
    """A handler that answers what another one answers."""

    async def handler(call: Call) -> Outcome:
        assert call.host is not None
        return await call.host.invoke(name, Request(**request))

    return handler


async def echo(call: Call) -> Outcome:
    assert call.request is not None
    return answered(call.request.body)


async def test_what_is_called_is_an_invocation_of_its_own(shoal: Shoal):
    seen: list[Call] = []

    async def child(call: Call) -> Outcome:
        seen.append(call)
        return answered(b"made", status=201)

    sent = {
        "method": "put",
        "path": "/orders/7",
        "query": "a=1",
        "body": b"raw \xff",
        "headers": [("X-Plain", "p"), ("Authorization", "Bearer s3cret"), ("x-user-id", "root"), ("Host", "evil")],
    }
    parent = await shoal.function("Parent", invoking("Die Bestellung", **sent))
    await shoal.function("Die Bestellung", child, slug="order", triggers=())
    wait = await shoal.begun(parent)
    outcome = await wait.outcome()
    assert outcome is not None
    assert outcome.response is not None
    assert (outcome.response.status, outcome.response.body) == (201, b"made")
    [call] = seen
    assert call.request is not None
    assert call.request == Request(
        method="PUT",
        url="http://function.internal/orders/7",
        path="/orders/7",
        query="a=1",
        headers=[("X-Plain", "p"), ("Authorization", "Bearer s3cret")],
        body=b"raw \xff",
        ip="192.0.2.7",
    )
    assert call.actor is not None
    assert (call.actor.kind, call.actor.user_id, call.actor.claims) == ("loopback", "eve", {"plan": "pro"})
    assert (call.depth, call.trigger_type, call.streams) == (1, "function", False)
    [record] = await shoal.children(wait.task_id, 1)
    assert (record.function_slug, record.trigger_type, record.user_id) == ("order", "function", USER.id)
    assert (record.status, record.task_id) == ("SUCCESS", call.task_id)


async def test_the_secrets_of_a_request_do_not_travel_in_the_clear(shoal: Shoal):
    heard: list[bytes] = []
    await shoal.bus.hear(">", lambda data, _: heard.append(data))
    parent = await shoal.function("parent", invoking("child", headers=[("cookie", "sid=s3cret")], body=b"plain"))
    await shoal.function("child", echo)
    assert (await shoal.call(parent)).status == "SUCCESS"
    await shoal.bus.client.flush()
    assert any(b"cGxhaW4=" in data for data in heard)  # the body is there, in base64
    assert not any(b"s3cret" in data for data in heard)


async def test_large_answers_at_once_do_not_cut_the_executor_off(shoal: Shoal):
    """They stay in it: a bus holds back some of them for one connection, then it closes it."""
    heard: list[str] = []
    await shoal.bus.hear("reply.>", lambda _, subject: heard.append(subject))

    async def parent(call: Call) -> Outcome:
        assert call.host is not None
        asked = [Request(body=str(number).encode()) for number in range(8)]
        outcomes = await asyncio.gather(*(call.host.invoke("child", request) for request in asked))
        sizes = [len(outcome.response.body) for outcome in outcomes if outcome.response is not None]
        return answered(str(sum(sizes)).encode())

    async def child(call: Call) -> Outcome:
        return answered(b"x" * (1 << 20))

    await shoal.function("child", child)
    wait = await shoal.begun(await shoal.function("parent", parent))
    outcome = await wait.outcome()
    assert outcome is not None
    assert outcome.response is not None
    assert outcome.response.body == str(8 << 20).encode()
    await shoal.bus.client.flush()
    assert [subject.rpartition(".")[2] for subject in heard] == [wait.task_id]


@pytest.mark.parametrize(
    ("name", "request_", "error"),
    [
        ("nobody", {}, "FunctionNotFound: Function 'nobody' not found or not active"),
        ("child", {"method": "GET /"}, "InvalidRequest: ctx.invoke: the method must be a word"),
        ("child", {"path": "x"}, "InvalidRequest: ctx.invoke: the path must begin with / and be percent-encoded"),
        ("child", {"path": "/a b"}, "InvalidRequest: ctx.invoke: the path must begin with / and be percent-encoded"),
        ("child", {"query": "a=\n"}, "InvalidRequest: ctx.invoke: the query must be percent-encoded"),
        ("child", {"headers": [("x\n", "")]}, "InvalidRequest: ctx.invoke: 'x\\n' is not a header, or its value"),
        ("child", {"headers": [("x", "a\r\nb: c")]}, "InvalidRequest: ctx.invoke: 'x' is not a header, or its value"),
        ("child", {"headers": [("x", "y")] * 101}, "InvalidRequest: ctx.invoke: there may be 100 header lines"),
        ("child", {"headers": [("x", "y" * 7000)] * 5}, "InvalidRequest: ctx.invoke: there may be 100 header lines"),
        ("child", {"body": b"x" * ((1 << 20) + 1)}, "InvalidRequest: ctx.invoke: the body has 1048577 bytes"),
    ],
)
async def test_what_cannot_be_called(shoal: Shoal, name: str, request_: dict[str, Any], error: str):
    parent = await shoal.function("parent", invoking(name, **request_))
    await shoal.function("child", echo)
    outcome = await shoal.call(parent)
    assert outcome.status == "FAILURE"
    assert outcome.message.startswith(error)


async def test_names_are_looked_up_anew_when_functions_change(shoal: Shoal):
    parent = await shoal.function("parent", invoking("child", body=b"1"))
    assert (await shoal.call(parent)).error_type == "FunctionNotFound"
    child = await shoal.function("Child", echo, deployed_as="", slug="child")
    assert (await shoal.call(parent)).status == "SUCCESS"

    async def other(call: Call) -> Outcome:
        return answered(b"other")

    await shoal.function("child", other, slug="child-2")  # deployed under the name, which goes before a slug
    async with asyncio.timeout(10):
        while (outcome := await shoal.call(parent)).response is None or outcome.response.body != b"other":
            pass
    functions = Functions(shoal.store, TENANT)
    for slug in ("child", "child-2"):
        await shoal.announce(await functions.change(slug, {"is_active": False}))
    async with asyncio.timeout(10):
        while (await shoal.call(parent)).error_type != "FunctionNotFound":
            pass
    assert child.slug == "child"


async def test_a_ring_of_functions_ends(shoal: Shoal):
    """Also with one slot for all of them, which is what each gives to the next."""
    calls: list[int] = []

    async def handler(call: Call) -> Outcome:
        calls.append(call.depth)
        assert call.host is not None
        inner = await call.host.invoke("ring", Request())
        if inner.status == "SUCCESS":
            return inner
        return answered(f"{call.depth}: {inner.message}".encode())

    ring = await shoal.function("ring", handler)
    outcome = await shoal.call(ring)
    assert outcome.response is not None
    assert outcome.response.body == b"4: LoopLimitExceeded: ctx.invoke loop limit exceeded"
    assert calls == [0, 1, 2, 3, 4]


async def test_many_chains_with_one_slot(host_servers: embedded.Servers):
    """Sixty chains of five on one slot, eight processes and five messages in hand: all of them come to their end."""

    async def handler(call: Call) -> Outcome:
        assert call.host is not None
        inner = await call.host.invoke("chain", Request(body=call.task_id.encode()))
        return inner if inner.status == "SUCCESS" else answered(inner.error.encode())

    async with running(host_servers, slots=1, ahead=4, processes=12, processes_per_tenant=12) as shoal:
        chain = await shoal.function("chain", handler, config={"timeout": 50})
        waits = [await shoal.begun(chain) for _ in range(60)]
        outcomes = await asyncio.gather(*(wait.outcome() for wait in waits))
    bodies = [outcome.response.body for outcome in outcomes if outcome and outcome.response]
    assert bodies == [b"ctx.invoke loop limit exceeded"] * 60


async def test_side_by_side(host_servers: embedded.Servers):
    """One slot is given once, however many calls wait at once, and taken back once."""
    at_once, most = 0, 0

    async def child(call: Call) -> Outcome:
        nonlocal at_once, most
        assert call.request is not None
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0)
        at_once -= 1
        return answered(call.request.body)

    async def parent(call: Call) -> Outcome:
        host = call.host
        assert host is not None
        asked = [host.invoke("child", Request(body=b"%d" % number)) for number in range(20)]
        ended = await asyncio.gather(*asked)
        return answered(b",".join(outcome.response.body for outcome in ended if outcome.response))

    async with running(host_servers, slots=1) as shoal:
        function = await shoal.function("parent", parent)
        await shoal.function("child", child)
        for _ in range(3):
            outcome = await shoal.call(function)
            assert outcome.response is not None
            assert outcome.response.body == b",".join(b"%d" % number for number in range(20))
    assert most == 1


async def test_no_more_than_may_be(host_servers: embedded.Servers):
    async def parent(call: Call) -> Outcome:
        assert call.host is not None
        return [await call.host.invoke("child", Request(body=b"x")) for _ in range(4)][-1]

    async with running(host_servers, invokes=3) as shoal:
        function = await shoal.function("parent", parent)
        await shoal.function("child", echo)
        wait = await shoal.begun(function)
        outcome = await wait.outcome()
        assert outcome is not None
        assert outcome.message == "TooManyInvokes: A call may invoke 3 functions"
        assert len(await shoal.children(wait.task_id, 3)) == 3


async def test_the_callers_time_ends_its_wait_and_not_what_it_called(shoal: Shoal):
    released, ended = asyncio.Event(), asyncio.Event()

    async def child(call: Call) -> Outcome:
        await released.wait()
        ended.set()
        return answered(b"late")

    parent = await shoal.function("parent", invoking("child"), config={"timeout": 0.5})
    await shoal.function("child", child)
    wait = await shoal.begun(parent)
    outcome = await wait.outcome()
    assert outcome is not None
    assert outcome.error_type == "TimeoutError"
    released.set()
    async with asyncio.timeout(10):
        await ended.wait()
    [record] = await shoal.children(wait.task_id, 1)
    assert record.status == "SUCCESS"
    mode = shoal.modes[0]
    quick = await shoal.function("quick", echo)
    outcomes = await asyncio.gather(*(shoal.call(quick, body=b"q") for _ in range(4 * mode.slots)))
    assert {outcome.status for outcome in outcomes} == {"SUCCESS"}  # no slot was lost


async def test_a_call_that_is_run_again_finds_what_it_did(shoal: Shoal):
    """Its executor dies in the middle: what was called is not called again, in whatever order it is asked for."""
    seen: list[bytes] = []
    stuck, runs = asyncio.Event(), 0

    async def child(call: Call) -> Outcome:
        assert call.request is not None
        seen.append(call.request.body)
        return answered(b"%d" % len(seen))

    async def parent(call: Call) -> Outcome:
        nonlocal runs
        runs += 1
        assert call.host is not None
        bodies = [b"a", b"b", b"b", b"c"]
        asked = bodies[:3] if runs == 1 else list(reversed(bodies))
        ended = [await call.host.invoke("child", Request(body=body)) for body in asked]
        if runs == 1:
            await shoal.children(call.task_id, 3)
            stuck.set()
            await asyncio.Event().wait()
        results = [bytes(one.result) if one.response is None else one.response.body for one in ended]
        return answered(b",".join(results))

    function = await shoal.function("parent", parent)
    await shoal.function("child", child)
    wait = await shoal.begun(function)
    async with asyncio.timeout(20):
        await stuck.wait()
        async with shoal.executor():
            await shoal.first.aclose()  # it hands back what it holds
            outcome = await wait.outcome()
    assert outcome is not None
    assert outcome.response is not None
    assert runs == 2
    assert seen == [b"a", b"b", b"b", b"c"]


async def test_two_parents_with_one_key_have_one_child(shoal: Shoal):
    made: list[str] = []

    async def child(call: Call) -> Outcome:
        made.append(call.task_id)
        assert call.request is not None
        return answered(call.request.body + b" %d" % len(made), headers=[("content-type", "text/plain"), ("x-a", "b")])

    keyed = {"body": b"once", "headers": [("Idempotency-Key", "k-1")]}
    await shoal.function("Child", child)
    parent = await shoal.function("Parent", invoking("Child", **keyed))
    other = await shoal.function("Other", invoking("Child", **keyed))
    first, *later = [await shoal.call(parent) for _ in range(2)] + list(
        await asyncio.gather(*(shoal.call(parent) for _ in range(5)))
    )
    assert first.response is not None
    assert first.response.body == b"once 1"
    for outcome in later:
        assert outcome.response is not None
        assert (outcome.response.body, outcome.response.header("content-type")) == (b"once 1", "text/plain")
    assert len(made) == 1
    second = await shoal.call(other)  # another function has keys of its own
    assert second.response is not None
    assert second.response.body == b"once 2"


async def test_the_same_key_with_something_else_and_what_is_no_key(shoal: Shoal):
    asked = {"body": b"a", "headers": [("idempotency-key", "k-1")]}
    await shoal.function("Child", echo)

    async def handler(call: Call) -> Outcome:
        assert call.host is not None
        for body in (b"a", b"b"):
            outcome = await call.host.invoke("Child", Request(**{**asked, "body": body}))
        wrong = await call.host.invoke("Child", Request(headers=[("idempotency-key", "a b")]))
        return answered(f"{outcome.error_type}, {wrong.error_type}".encode())

    parent = await shoal.function("Parent", handler)
    outcome = await shoal.call(parent)
    assert outcome.response is not None
    assert outcome.response.body == b"IdempotencyKeyReused, InvalidRequest"
