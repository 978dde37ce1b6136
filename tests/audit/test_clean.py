"""A platform with nothing wrong is clean, also while it works."""

from tests.audit.platform import RETRIES, Audited


async def test_an_empty_platform_is_clean(shoal: Audited) -> None:
    report = await shoal.audit()
    assert report.is_clean, report
    assert report.accepted == 0


async def test_all_that_may_be_is_counted(shoal: Audited) -> None:
    done, fails = await shoal.function("Done", shoal.done), await shoal.function("Fails", shoal.fails)
    held = await shoal.function("Held", shoal.held)
    again = await shoal.function("Again", shoal.fails, config=RETRIES)
    await shoal.many(done, 20)
    last = await shoal.many(fails, 5)
    put_off = await shoal.many(again, 4)
    await shoal.until(last[-1], "FAILURE")
    for task_id in put_off:
        await shoal.until(task_id, "RETRY")
    runs = await shoal.many(held, 10)  # two slots
    await shoal.until(runs[0], "STARTED")
    await shoal.quiet()
    report = await shoal.audit()
    assert report.is_clean, report.findings
    assert report.accepted == 39
    assert report.finished == {"SUCCESS": 20, "FAILURE": 5}
    assert (report.scheduled, report.running + report.queued, report.routing) == (4, 10, 0)
    assert report.running >= 2
