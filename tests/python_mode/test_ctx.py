"""What a handler's ctx knows and asks; the host is played."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from services.executor.modes.python.mode import PythonMode
from shared.domain import app
from shared.domain.outcome import Outcome, failure
from shared.domain.request import Actor, Request, Response
from tests.python_mode.asking import PlayedHost, handling, request_call, response_of
from tests.python_mode.opening import Open, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def told(mode: PythonMode, expression: str, **more: Any) -> Any:
    response = response_of(await mode.run(await request_call(mode, handling(f"return [{expression}]"), **more)))
    return json.loads(response.body)[0]


async def test_who_calls_what(mode: PythonMode) -> None:
    actor = Actor(kind="end_user_jwt", user_id="u1", claims={"sub": "u1", "role": "buyer", "id": "forged"})
    assert await told(mode, "ctx.user", actor=actor) == {"sub": "u1", "role": "buyer", "id": "u1"}
    assert await told(mode, "ctx.caller", actor=actor) == {"type": "end_user_jwt", "key_id": None, "user_id": "u1"}
    assert await told(mode, "ctx.user") is None
    assert await told(mode, "ctx.caller") == {"type": "anonymous", "key_id": None, "user_id": None}
    key = Actor(kind="service_key", key_id="k9")
    assert await told(mode, "ctx.caller", actor=key) == {"type": "service_key", "key_id": "k9", "user_id": None}
    assert await told(mode, "ctx.app") == {"id": app.public_id("acme", 2), "name": "Shop"}
    assert await told(mode, "ctx.request") == {"id": "task", "ip": None, "function_name": "greet"}


async def test_variables_are_asked_for_once_a_call_and_are_new_in_the_next(mode: PythonMode) -> None:
    host = PlayedHost({"KEY": "one"})
    call = await request_call(mode, handling("return [ctx.env['KEY'], ctx.env.get('none'), len(ctx.env)]"), host=host)
    assert json.loads(response_of(await mode.run(call)).body) == ["one", None, 1]
    assert host.asked == [("env", None)]
    host.env = {"KEY": "two"}
    assert json.loads(response_of(await mode.run(call)).body)[0] == "two"


async def test_another_function_is_called_and_its_answer_read(mode: PythonMode) -> None:
    host = PlayedHost()
    answered = Response(status=201, headers=[("X-A", "1"), ("x-a", "2")], body=b'{"n": 2}')
    host.answers["other"] = Outcome(status="SUCCESS", response=answered)
    body = "r = ctx.invoke('other', {'n': 1}, headers={'X-B': 'b'})\n"
    source = handling(body + "return [r.status, r.headers['x-A'], r.json(), r.text(), r.body == b'x']")
    response = response_of(await mode.run(await request_call(mode, source, host=host)))
    assert json.loads(response.body) == [201, "1, 2", {"n": 2}, '{"n": 2}', False]
    assert host.asked == [
        (
            "other",
            Request(
                method="POST",
                url="http://function.internal/other",
                path="/other",
                headers=[("X-B", "b"), ("content-type", "application/json")],
                body=b'{"n":1}',
            ),
        )
    ]


async def test_a_result_of_another_function_is_its_json(mode: PythonMode) -> None:
    host = PlayedHost()
    host.answers["plain"] = Outcome(status="SUCCESS", result=msgspec.Raw(b"[1]"))
    expression = "(lambda r: [r.status, r.json(), r.headers['content-type']])(ctx.invoke('plain', method='GET'))"
    assert await told(mode, expression, host=host) == [200, [1], "application/json"]
    assert host.asked[0][1].method == "GET"


async def test_a_handler_may_answer_with_what_it_was_answered(mode: PythonMode) -> None:
    host = PlayedHost()
    host.answers["other"] = Outcome(status="SUCCESS", response=Response(status=418, headers=[("x-a", "1")], body=b"t"))
    response = response_of(
        await mode.run(await request_call(mode, handling("return ctx.invoke('other', b'raw')"), host=host))
    )
    assert (response.status, response.headers, response.body) == (418, [("x-a", "1")], b"t")


async def test_a_failure_of_another_function_can_be_caught(mode: PythonMode) -> None:
    host = PlayedHost()
    host.answers["bad"] = failure("TimeoutError", "execution exceeded the limit")
    source = handling("try:\n    ctx.invoke('bad')\nexcept RuntimeError as e:\n    return str(e)")
    response = response_of(await mode.run(await request_call(mode, source, host=host)))
    assert response.body == b"TimeoutError: execution exceeded the limit"


async def test_a_claim_is_first_once(mode: PythonMode) -> None:
    host = PlayedHost()
    expression = "[ctx.idempotency.claim('k'), ctx.idempotency.claim('k'), ctx.idempotency.claim('k', 's', 60)]"
    assert await told(mode, expression, host=host) == [True, False, True]
    assert host.asked[0] == ("k", ("default", 86_400.0))
    assert host.asked[2] == ("k", ("s", 60.0))


async def test_a_platform_that_cannot_answer_says_so(mode: PythonMode) -> None:
    source = handling("try:\n    ctx.idempotency.claim('k')\nexcept RuntimeError as e:\n    return str(e)")
    response = response_of(await mode.run(await request_call(mode, source, host=PlayedHost(away=True))))
    assert b"the store is away" in response.body


async def test_what_is_published_goes_out_in_order(mode: PythonMode) -> None:
    host = PlayedHost()
    expression = "[ctx.publish('news', {'n': 1}), ctx.publish('user:ü', None, event='gone'), ctx.publish('news', [2])]"
    assert await told(mode, expression, host=host) == [None, None, None]
    assert host.asked == [("news", ("", b'{"n":1}')), ("user:ü", ("gone", b"null")), ("news", ("", b"[2]"))]


async def test_a_bus_that_is_away_can_be_caught(mode: PythonMode) -> None:
    source = handling("try:\n    ctx.publish('news', 1)\nexcept RuntimeError as e:\n    return str(e)")
    response = response_of(await mode.run(await request_call(mode, source, host=PlayedHost(away=True))))
    assert b"the bus is away" in response.body


@pytest.mark.parametrize(
    "expression",
    [
        "ctx.publish('', 1)",
        "ctx.publish('c' * 201, 1)",
        "ctx.publish('a\\nb', 1)",
        "ctx.publish('\\ud800', 1)",
        "ctx.publish(1, 1)",
        "ctx.publish('c', 1, event=2)",
        "ctx.publish('c', 1, event='e' * 101)",
        "ctx.publish('c', {1, 2})",
        "ctx.publish('c', float('nan'))",
        "ctx.publish('c', 'x' * 65_535)",
        "ctx.invoke('')",
        "ctx.invoke('x' * 201)",
        "ctx.invoke('x', method='get')",
        "ctx.invoke('x', method='GET /\\r\\nx: y')",
        "ctx.invoke('x', headers={'a': 'b\\r\\nc: d'})",
        "ctx.invoke('x', headers={'a b': 'c'})",
        "ctx.invoke('x', headers={'a': 1})",
        "ctx.invoke('x', 'b' * 2_000)",
        "ctx.invoke('x', {1, 2})",
        "ctx.invoke('\\ud800')",
        "ctx.invoke(1)",
        "ctx.idempotency.claim('')",
        "ctx.idempotency.claim('k' * 256)",
        "ctx.idempotency.claim('k', 's' * 256)",
        "ctx.idempotency.claim('k', ttl_seconds=0)",
        "ctx.idempotency.claim('k', ttl_seconds=float('nan'))",
        "ctx.idempotency.claim('k', ttl_seconds=10 ** 400)",
        "ctx.idempotency.claim('k', ttl_seconds='1')",
        "ctx.idempotency.claim(1)",
    ],
)
async def test_what_cannot_be_asked_fails_in_the_function_alone(mode: PythonMode, expression: str) -> None:
    host = PlayedHost()
    source = handling(f"try:\n    {expression}\nexcept (TypeError, ValueError) as e:\n    return str(e)")
    response = response_of(await mode.run(await request_call(mode, source, host=host, params_bytes=1000)))
    assert response.body
    assert host.asked == []


async def test_the_deadline_holds_while_another_function_is_waited_for(opened: Open) -> None:
    mode, host = await opened(), PlayedHost()
    outcome = await mode.run(await request_call(mode, handling("ctx.invoke('slow')"), host=host, timeout_s=0.2))
    assert (outcome.error_type, host.cancelled) == ("TimeoutError", True)
    assert mode.facts()["workers"] == 0


async def test_a_cancelled_call_cancels_what_it_waits_for(opened: Open) -> None:
    mode, host = await opened(), PlayedHost()
    running = asyncio.create_task(mode.run(await request_call(mode, handling("ctx.invoke('slow')"), host=host)))
    await host.waits.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert host.cancelled
    await until(lambda: mode.facts()["workers"] == 0)


async def test_questions_have_a_bound(mode: PythonMode) -> None:
    body = "n = 0\ntry:\n    while True:\n        ctx.idempotency.claim(str(n))\n        n += 1\n"
    source = handling(body + "except RuntimeError as e:\n    return [n, str(e)]")
    response = response_of(await mode.run(await request_call(mode, source)))
    assert json.loads(response.body) == [1000, "more than 1000 questions in one call"]


async def test_an_answer_of_megabytes(mode: PythonMode) -> None:
    host = PlayedHost()
    host.answers["big"] = Outcome(status="SUCCESS", response=Response(body=b"x" * 3_000_000))
    assert await told(mode, "len(ctx.invoke('big').body)", host=host) == 3_000_000


async def test_a_worker_that_has_asked_is_not_given_the_call_again(opened: Open) -> None:
    mode, host = await opened(), PlayedHost()
    running = asyncio.create_task(mode.run(await request_call(mode, handling("ctx.invoke('slow')"), host=host)))
    await host.waits.wait()
    (worker,) = mode._pool.live
    worker.link.end("evicted")
    assert (await running).error_type == "WorkerDied"
    assert [name for name, _ in host.asked] == ["slow"]


async def test_a_small_memory_and_a_large_answer(opened: Open) -> None:
    mode, host = await opened(), PlayedHost()
    host.answers["big"] = Outcome(status="SUCCESS", response=Response(body=b"x" * 200_000_000))
    source = handling("try:\n    ctx.invoke('big')\nexcept BaseException:\n    return 'caught'")
    outcome = await mode.run(await request_call(mode, source, host=host, memory_mb=64))
    assert outcome.error_type == "MemoryError"
