"""Plugins' code looked into when it is asked for by bus: what is answered, what is believed, and who waits for whom."""

import asyncio
from typing import Any

import msgspec
import pytest

from services.executor.mode import Call, Person, Unavailable
from shared import embedded, valves
from shared.bus import subjects
from shared.bus.notices import Examine, Examined
from shared.domain.outcome import Outcome, failure
from shared.domain.plugin import examine_place
from shared.secrets import Keyring
from shared.store.invocations import Filter, Invocations
from shared.store.users import Draft, Users
from shared.store.versions import Versions
from shared.submit import new_task_id
from tests.executor_host.platform import KEYRING, TENANT, Shoal, running

HASH = "c" * 64
CODE = {"kind": "filter", "toggle": True, "has_valves": True, "has_user_valves": False, "secret": True, "fault": ""}


def says(result: Any) -> Outcome:
    text = result if isinstance(result, bytes) else msgspec.json.encode(result)
    return Outcome(status="SUCCESS", result=msgspec.Raw(text))


async def asked(shoal: Shoal, what: Any, outcome: Any, *, keep: bool = True, **fields: Any) -> tuple[Examine, Examined]:
    """The question, and its answer where the mode finds this: an outcome, or what is raised."""

    async def found(_: Call) -> Outcome:
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, Outcome)
        return outcome

    shoal.modes[0].found = found
    if keep:
        await Versions(shoal.store, fields.get("tenant", TENANT)).keep_source(HASH, "# plugin")
    question = Examine(
        **{"id": new_task_id(), "tenant": TENANT, "function_id": 3, "code_hash": HASH, "what": what, **fields}
    )
    answer = await shoal.bus.ask(subjects.examine("python"), question, answer=Examined, timeout_s=10)
    return question, answer


async def test_what_code_is(shoal: Shoal):
    _, answer = await asked(shoal, "code", says(CODE))
    assert answer == Examined(kind="filter", toggle=True, has_valves=True, secret=True)
    (call,) = shoal.modes[0].looks
    assert (call.tenant, call.function_id, call.code_hash, call.host, call.function) == (TENANT, 3, HASH, None, None)
    limits = call.limits
    assert (limits.timeout_s, limits.cpu_s, limits.output_bytes, limits.log_lines) == (10, 10, 0, 0)
    assert (limits.memory_mb, limits.result_bytes) == (shoal.platform.default_memory_mb, 1 << 20)


async def test_it_is_no_invocation(shoal: Shoal):
    await asked(shoal, "code", says(CODE))
    await shoal.bus.client.flush()
    info = await shoal.bus.stream.stream_info("EVENTS")
    assert info.state.messages == 0
    assert await Invocations(shoal.store, TENANT).listed(Filter(), limit=10, skip=0) == []


async def test_valves_that_do_not_fit(shoal: Shoal):
    _, answer = await asked(shoal, "code", says({**CODE, "fault": "priority: not a number"}))
    assert answer == Examined(error="priority: not a number", misfit=True)
    _, answer = await asked(shoal, "values", says({"misfit": "priority: not a number"}))
    assert answer == Examined(error="priority: not a number", misfit=True)


async def test_values_travel_sealed(shoal: Shoal):
    id = new_task_id()
    sealed = valves.kept(b'{"key":"s3cret"}', KEYRING, place=examine_place(id, "asked"), secret=False)
    _, answer = await asked(shoal, "values", says({"values": {"key": "s3cret!"}}), id=id, values=sealed)
    assert "s3cret" not in sealed + answer.values
    (call,) = shoal.modes[0].looks
    assert call.examination is not None
    assert call.examination.values == b'{"key":"s3cret"}'
    assert valves.opened(answer.values, KEYRING, place=examine_place(id, "answered")) == b'{"key":"s3cret!"}'


@pytest.mark.parametrize("place", ["asked", "answered"])
async def test_values_that_were_sealed_elsewhere(shoal: Shoal, place: Any):
    id = new_task_id()
    keyring = KEYRING if place == "answered" else Keyring([b"x" * 32])
    sealed = valves.kept(b"{}", keyring, place=examine_place(id, place), secret=False)
    _, answer = await asked(shoal, "values", says({}), id=id, values=sealed)
    assert answer.unavailable.startswith("the valves cannot be opened: ")
    assert shoal.modes[0].looks == []


async def test_no_such_valves(shoal: Shoal):
    _, answer = await asked(shoal, "values", says({"missing": True}))
    assert answer == Examined(missing=True)
    _, answer = await asked(shoal, "spec", says(b"null"), of="user_valves")
    assert (bytes(answer.spec), answer.error) == (b"null", "")
    assert shoal.modes[0].looks[-1].examination is not None
    assert shoal.modes[0].looks[-1].examination.of == "user_valves"


async def test_a_schema(shoal: Shoal):
    _, answer = await asked(shoal, "spec", says({"title": "Valves", "properties": {"a": {}}}))
    assert msgspec.json.decode(answer.spec) == {"title": "Valves", "properties": {"a": {}}}


async def test_choices_are_made_for_who_asks(shoal: Shoal):
    account = await Users(shoal.store, TENANT).add(Draft(username="ann", email="ann@acme.test", role="developer"))
    for user_id in (account.id, 0, 12_345):
        await asked(shoal, "spec", says(b"null"), user_id=user_id)
    people = [call.examination.person for call in shoal.modes[0].looks if call.examination is not None]
    assert people == [Person(id=str(account.id), email="ann@acme.test", name="ann", role="developer"), None, None]


@pytest.mark.parametrize(
    ("what", "result"),
    [
        ("code", b"null"),
        ("code", b"{}"),
        ("code", {**CODE, "kind": "admin"}),
        ("code", {**CODE, "toggle": "yes"}),
        ("code", {**CODE, "more": 1}),
        ("code", {**CODE, "fault": None}),
        ("spec", b"[]"),
        ("spec", b'"text"'),
        ("values", {"values": [1]}),
        ("values", {"values": "v1.abc"}),
        ("values", {"missing": 1}),
        ("values", b"[" * 50_000 + b"]" * 50_000),
    ],
)
async def test_a_worker_is_not_believed(shoal: Shoal, what: str, result: Any):
    _, answer = await asked(shoal, what, says(result))
    assert answer == Examined(error="WorkerDied: the worker was ended: what it found cannot be")


async def test_values_and_why_there_are_none(shoal: Shoal):
    _, answer = await asked(shoal, "values", says({}))
    assert answer == Examined(error="the values do not fit", misfit=True)


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (failure("SandboxError", "ValueError: not here (line 3)"), "ValueError: not here (line 3)"),
        (failure("TimeoutError", "took over 10 s"), "TimeoutError: took over 10 s"),
        (failure("MemoryError", "memory limit of 128 MB exceeded"), "MemoryError: memory limit of 128 MB exceeded"),
        (failure("SandboxError", "x" * 100_000), "x" * 4096),
    ],
)
async def test_a_fault_of_the_code(shoal: Shoal, end: Outcome, error: str):
    _, answer = await asked(shoal, "code", end)
    assert answer == Examined(error=error)


async def test_what_is_our_fault(shoal: Shoal):
    _, answer = await asked(shoal, "code", Unavailable("no worker"))
    assert answer == Examined(unavailable="no worker")


async def test_code_that_is_not_there(shoal: Shoal):
    _, answer = await asked(shoal, "code", says(CODE), keep=False, code_hash="d" * 64)
    assert answer == Examined(error="the code is not in the store any more")


async def test_code_of_another_tenant(shoal: Shoal):
    await asked(shoal, "code", says(CODE))
    _, answer = await asked(shoal, "code", says(CODE), keep=False, tenant="other")
    assert answer == Examined(error="the code is not in the store any more")


async def test_one_tenants_code_that_hangs_keeps_no_other_out(host_servers: embedded.Servers):
    async with running(host_servers, examine_slots=4, examine_wait_s=2.0) as shoal:
        hung: list[str] = []
        may_end = asyncio.Event()

        async def found(call: Call) -> Outcome:
            if call.tenant == TENANT:
                hung.append(call.task_id)
                await may_end.wait()
            return says(CODE)

        shoal.modes[0].found = found
        for tenant in (TENANT, "small"):
            await Versions(shoal.store, tenant).keep_source(HASH, "# plugin")

        async def ask(tenant: str) -> Examined:
            question = Examine(id=new_task_id(), tenant=tenant, function_id=0, code_hash=HASH, what="code")
            return await shoal.bus.ask(subjects.examine("python"), question, answer=Examined, timeout_s=20)

        hanging = [asyncio.create_task(ask(TENANT)) for _ in range(100)]
        async with asyncio.timeout(10):
            while len(hung) < 2:
                await asyncio.sleep(0.01)
            assert [(await ask("small")).kind for _ in range(5)] == ["filter"] * 5
        assert len(hung) == 2
        answers = await asyncio.gather(*hanging)
        assert all(answer.unavailable for answer in answers)
        told = {answer.unavailable for answer in answers}
        assert "too much of the tenant's code is being looked into" in told
        may_end.set()
        assert (await ask(TENANT)).kind == "filter"
