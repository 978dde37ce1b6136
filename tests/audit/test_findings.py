"""Each thing that can be wrong is made to be, found, named and mended; then nothing is wrong any more."""

import asyncio

import msgspec
import pytest

from services.recorder.project import project
from shared.audit.mending import Mending
from shared.audit.report import Finding, Report
from shared.bus import backlog, scan, streams, subjects
from shared.bus.broker import encode
from shared.bus.messages import Finished, Invoke
from shared.domain.function import Function
from shared.domain.invocation import Invocation
from shared.domain.outcome import failure
from shared.store import deletions, metrics
from shared.store.invocations import Invocations
from tests.audit.mended import mended
from tests.audit.platform import RETRIES, WITHIN_S, Audited
from tests.executor_host.platform import BOUNDS, TENANT


@pytest.fixture
async def done(shoal: Audited) -> Function:
    return await shoal.function("Done", shoal.done)


@pytest.fixture
async def held(shoal: Audited) -> Function:
    return await shoal.function("Held", shoal.held)


def only(report: Report) -> Finding:
    assert len(report.findings) == 1, report.findings
    assert sum(report.found.values()) == 1
    return report.findings[0]


async def ended(shoal: Audited, function: Function) -> str:
    task_id = await shoal.submit(function)
    await shoal.until(task_id, "SUCCESS")
    await shoal.quiet()
    return task_id


async def record(shoal: Audited, task_id: str) -> Invocation:
    found = await Invocations(shoal.store, TENANT).by_task(task_id)
    assert found is not None
    return found


async def work_of(shoal: Audited, task_id: str) -> int:
    """The sequence of the task's message in WORK."""
    async for found in backlog.queued(shoal.bus):
        for one in found:
            if one.task_id == task_id:
                return one.sequence
    raise AssertionError(task_id)


async def end_of(shoal: Audited, task_id: str) -> tuple[int, Finished]:
    """The task's end in EVENTS."""
    async for found in scan.headers(shoal.bus, streams.EVENTS, subjects=["events.>"]):
        for one in found:
            if one.id == f"{task_id}.finished":
                message = await scan.message(shoal.bus, streams.EVENTS, one.sequence)
                assert message is not None
                return one.sequence, msgspec.json.decode(message.data, type=Finished)
    raise AssertionError(task_id)


async def test_work_that_has_gone_is_lost(shoal: Audited, done: Function) -> None:
    await shoal.stop("executor")
    gone, kept = await shoal.submit(done), await shoal.submit(done)
    await shoal.until(kept, "PENDING")
    await shoal.quiet()
    await scan.remove(shoal.bus, streams.WORK, await work_of(shoal, gone))
    report = await shoal.audit()
    finding = only(report)
    assert (finding.kind, finding.task_id, finding.tenant, finding.function) == ("lost", gone, TENANT, "done")
    assert report.queued == 1
    number = (await record(shoal, gone)).id
    assert (await mended(shoal, report)).done == {"put in anew": 1}
    await shoal.start("executor")
    await shoal.until(gone, "SUCCESS")
    assert (await record(shoal, gone)).id == number
    assert [call.task_id for call in shoal.modes[-1].calls].count(gone) == 1


async def test_a_record_that_has_gone_is_missing(shoal: Audited, done: Function) -> None:
    task_id = await ended(shoal, done)
    before = await record(shoal, task_id)
    await shoal.store.global_delete("invocations", {"_id": task_id})
    report = await shoal.audit()
    finding = only(report)
    assert (finding.kind, finding.what, finding.task_id) == ("missing", "end", task_id)
    assert (await mended(shoal, report)).done == {"recorded again": 1}
    assert await record(shoal, task_id) == before


async def test_a_command_that_is_not_on_record_is_missing(shoal: Audited, held: Function) -> None:
    task_id = await shoal.submit(held)
    await shoal.until(task_id, "STARTED")
    await shoal.quiet()
    await shoal.store.global_delete("invocations", {"_id": task_id})
    report = await shoal.audit()
    finding = only(report)
    assert (finding.kind, finding.what, finding.task_id) == ("missing", "command", task_id)
    assert (await mended(shoal, report)).done == {"recorded again": 1}
    assert (await record(shoal, task_id)).status == "PENDING"
    shoal.gate.set()
    await shoal.until(task_id, "SUCCESS")


async def test_an_end_that_is_not_on_record_is_stuck(shoal: Audited, done: Function) -> None:
    task_id = await ended(shoal, done)
    before = await record(shoal, task_id)
    change = {"$set": {"status": "STARTED"}, "$unset": {"event": 1, "done_at": 1}}
    await shoal.store.global_change("invocations", {"_id": task_id}, change)
    report = await shoal.audit()
    finding = only(report)
    assert (finding.kind, finding.what, finding.task_id) == ("stuck", "end", task_id)
    assert (await mended(shoal, report)).done == {"recorded again": 1}
    assert await record(shoal, task_id) == before


async def test_a_record_that_is_older_than_the_streams_is_stuck_unless_it_has_a_place(
    shoal: Audited, held: Function
) -> None:
    task_id = await shoal.submit(held)
    await shoal.until(task_id, "STARTED")
    await shoal.quiet()
    await shoal.bus.stream.purge_stream(streams.INVOKE)
    report = await shoal.audit()
    assert report.is_clean, report.findings
    assert (report.accepted, report.older) == (0, 1)
    await scan.remove(shoal.bus, streams.WORK, await work_of(shoal, task_id))
    report = await shoal.audit()
    finding = only(report)
    assert (finding.kind, finding.what, finding.task_id) == ("stuck", "place", task_id)
    assert (await mended(shoal, report)).done == {"closed": 1}
    found = await record(shoal, task_id)
    assert (found.status, found.error_type) == ("FAILURE", "Undeliverable")


async def test_an_end_that_was_purged_before_it_was_recorded_is_lost(shoal: Audited, done: Function) -> None:
    await shoal.stop("recorder")
    task_id = await shoal.submit(done)
    async for found in scan.headers(shoal.bus, streams.EVENTS, subjects=["events.>"]):
        raise AssertionError(found)
    sequence, _ = await _until_ended(shoal, task_id)
    await scan.remove(shoal.bus, streams.EVENTS, sequence)
    report = await shoal.audit()
    finding = only(report)
    assert (finding.kind, finding.task_id) == ("lost", task_id)
    # The bus would drop the end of another run: so there is none while it would.
    left = (await Mending(shoal.bus, shoal.store, project).mend(report.findings)).left
    assert list(left) == [task_id]
    await forgetful(shoal)
    async with asyncio.timeout(WITHIN_S):
        while await scan.knows(shoal.bus, streams.EVENTS, "events.acme.done.finished", id=f"{task_id}.finished"):
            await asyncio.sleep(0.05)
    await shoal.start("recorder")
    assert (await mended(shoal, report)).done == {"put in anew": 1}
    await shoal.until(task_id, "SUCCESS")


async def test_a_second_end_is_found_with_who_made_it(shoal: Audited, done: Function) -> None:
    task_id = await ended(shoal, done)
    sequence, end = await end_of(shoal, task_id)
    second = msgspec.structs.replace(end, delivery=2, executor="executor-of-late")
    stored = await again(shoal, subjects.event(TENANT, "done", "finished"), second, id=f"{task_id}.finished")
    await shoal.quiet()
    report = await shoal.audit()
    finding = only(report)
    assert (finding.kind, finding.what, finding.event, finding.kept) == ("doubled", "end", stored, sequence)
    assert "delivery 2 by executor-of-late" in finding.detail
    assert (await mended(shoal, report)).done == {"taken out": 1}
    assert await scan.message(shoal.bus, streams.EVENTS, stored) is None


async def test_of_two_ends_the_first_one_is_put_on_record(shoal: Audited, done: Function) -> None:
    task_id = await ended(shoal, done)
    before = await record(shoal, task_id)
    sequence, end = await end_of(shoal, task_id)
    worse = msgspec.structs.replace(end, outcome=failure("ValueError", "no"))
    stored = await again(shoal, subjects.event(TENANT, "done", "finished"), worse, id=f"{task_id}.finished")
    await shoal.quiet()
    change = {"$set": {"event": stored, "status": "FAILURE", "error": "no", "failed": True}}
    await shoal.store.global_change("invocations", {"_id": task_id}, change)
    report = await shoal.audit()
    finding = only(report)
    assert (finding.what, finding.event, finding.kept) == ("end", stored, sequence)
    assert (await mended(shoal, report)).done == {"taken out": 1}
    assert await record(shoal, task_id) == before


async def test_a_second_end_is_found_also_where_it_has_no_id(shoal: Audited, done: Function) -> None:
    task_id = await ended(shoal, done)
    sequence, end = await end_of(shoal, task_id)
    stored = await shoal.bus.publish(subjects.event(TENANT, "done", "finished"), encode(end), headers={"X": "y"})
    await shoal.quiet()
    finding = only(await shoal.audit())
    assert (finding.what, finding.event, finding.kept) == ("end", stored.sequence, sequence)


async def test_a_second_command_is_found(shoal: Audited, done: Function) -> None:
    task_id = await ended(shoal, done)
    first = await scan.message(shoal.bus, streams.INVOKE, 1)
    assert first is not None
    await again(shoal, first.subject, msgspec.json.decode(first.data, type=Invoke), id=task_id)
    await shoal.quiet()
    report = await shoal.audit()
    command, end = report.findings  # it ran twice, too: nobody knew any more that it had been routed
    assert (command.kind, command.what, command.task_id) == ("doubled", "command", task_id)
    assert {command.command, command.kept} == {1, 2}
    assert (end.what, end.event, end.kept) == ("end", 2, 1)
    assert report.accepted == 1
    assert (await mended(shoal, report)).done == {"taken out": 2}


async def forgetful(shoal: Audited) -> None:
    """Let the bus forget at once which ids it has seen."""
    for stream in streams.streams(msgspec.structs.replace(BOUNDS, dedupe_s=0.1), first_invocation=1):
        await shoal.bus.ensure_stream(stream)


async def again(shoal: Audited, subject: str, body: msgspec.Struct, *, id: str) -> int:
    """Store what was stored under this id before, as soon as the bus has forgotten that; its sequence."""
    await forgetful(shoal)
    async with asyncio.timeout(WITHIN_S):
        while (stored := await shoal.bus.store(subject, body, id=id)).duplicate:
            await asyncio.sleep(0.05)
    return stored.sequence


async def test_what_was_deleted_is_not_missing(shoal: Audited, done: Function) -> None:
    task_id = await ended(shoal, done)
    await deletions.note(shoal.store, deletions.Gone(TENANT, done.id), kept_s=3600)
    await shoal.store.global_delete("invocations", {"_id": task_id})
    report = await shoal.audit(settle_s=WITHIN_S)
    assert report.is_clean
    assert report.took_s < WITHIN_S  # it will not come back, and is not waited for


async def test_what_is_missing_beside_what_was_deleted_is_given_its_time(shoal: Audited, done: Function) -> None:
    gone, missing = await ended(shoal, done), await ended(shoal, await shoal.function("Kept", shoal.done))
    await deletions.note(shoal.store, deletions.Gone(TENANT, done.id), kept_s=3600)
    for task_id in (gone, missing):
        await shoal.store.global_delete("invocations", {"_id": task_id})
    report = await shoal.audit(settle_s=0.3)
    assert only(report).task_id == missing
    assert report.took_s >= 0.6


async def _until_ended(shoal: Audited, task_id: str) -> tuple[int, Finished]:
    while True:
        try:
            return await end_of(shoal, task_id)
        except AssertionError:
            continue


async def test_what_was_lost_between_two_tries_goes_on_with_the_next_one(shoal: Audited) -> None:
    again = await shoal.function("Again", shoal.fails, config=RETRIES)
    task_id = await shoal.submit(again)
    await shoal.until(task_id, "RETRY")
    await shoal.quiet()
    await scan.remove(shoal.bus, streams.WORK, await work_of(shoal, task_id))
    report = await shoal.audit()
    assert (only(report).kind, only(report).attempts) == ("lost", 1)
    shoal.handlers["again"] = shoal.done
    await mended(shoal, report)
    await shoal.until(task_id, "SUCCESS")
    assert [call.attempt for call in shoal.modes[-1].calls] == [1, 2]
    assert (await record(shoal, task_id)).attempts == 2


async def test_a_record_that_is_written_again_has_its_tries(shoal: Audited) -> None:
    again = await shoal.function("Again", shoal.fails, config={"max_retries": 2, "retry_first_s": 0.01})
    task_id = await shoal.submit(again)
    await shoal.until(task_id, "FAILURE")
    await shoal.quiet()
    before = await record(shoal, task_id)
    assert len(before.tries) == 2
    await shoal.store.global_delete("invocations", {"_id": task_id})
    await mended(shoal, await shoal.audit())
    assert msgspec.structs.replace(await record(shoal, task_id), last_error="") == msgspec.structs.replace(
        before, last_error=""
    )


async def test_what_may_run_once_is_not_run_again(shoal: Audited) -> None:
    once = await shoal.function("Once", shoal.held, config={"delivery": "at_most_once"})
    task_id = await shoal.submit(once)
    await shoal.until(task_id, "STARTED")
    await shoal.quiet()
    await scan.remove(shoal.bus, streams.WORK, await work_of(shoal, task_id))
    report = await shoal.audit()
    assert only(report).kind == "lost"
    await mended(shoal, report)
    await shoal.until(task_id, "FAILURE")
    assert (await record(shoal, task_id)).error_type == "AttemptLost"
    assert len(shoal.modes[-1].calls) == 1


async def test_metrics_that_count_too_much_are_counted_again(shoal: Audited, done: Function) -> None:
    for _ in range(3):
        await ended(shoal, done)
    await shoal.store.global_change("metrics", {"_id": done.id}, {"$inc": {"total": 2}})
    report = await shoal.audit()
    finding = only(report)
    assert (finding.kind, finding.what, finding.function) == ("doubled", "metrics", "done")
    assert (await mended(shoal, report)).done == {"counted again": 1}
    async with asyncio.timeout(WITHIN_S):
        while [one.total for one in await metrics.totals(shoal.store, limit=10)] != [3]:
            await asyncio.sleep(0.05)


async def test_a_command_that_cannot_be_read_is_a_dead_letter(shoal: Audited, done: Function) -> None:
    headers = {"Nats-Msg-Id": "01900000-0000-7000-8000-000000000000"}
    await shoal.bus.publish(subjects.invoke(TENANT, "done"), b"{", headers=headers)
    async with asyncio.timeout(WITHIN_S):
        while not (report := await shoal.audit()).dead:
            await asyncio.sleep(0.05)
    await shoal.quiet()
    report = await shoal.audit()
    assert report.is_clean, report.findings
    assert (report.accepted, report.buried) == (1, 1)


async def test_one_tenant_is_looked_at_alone(shoal: Audited, done: Function) -> None:
    task_id = await ended(shoal, done)
    await shoal.store.global_delete("invocations", {"_id": task_id})
    other = await shoal.audit(tenant="other")
    assert (other.is_clean, other.accepted) == (True, 0)
    assert only(await shoal.audit(tenant=TENANT)).task_id == task_id
