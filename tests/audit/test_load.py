"""A clean platform is clean while thousands of calls of all kinds are under way, and while services are down."""

import asyncio
from itertools import cycle

from tests.audit.platform import RETRIES, Audited

_CALLS = 3000


async def test_nothing_that_is_merely_on_its_way_is_reported(shoal: Audited) -> None:
    done, fails = await shoal.function("Done", shoal.done), await shoal.function("Fails", shoal.fails)
    again = await shoal.function("Again", shoal.fails, config=RETRIES)
    soon = await shoal.function("Soon", shoal.fails, config={"max_retries": 2, "retry_first_s": 0.2})
    kinds = cycle([done, done, done, done, fails, again, soon])
    submitted: list[str] = []

    async def traffic() -> None:
        async def some() -> None:
            while len(submitted) < _CALLS:
                submitted.append(await shoal.submit(next(kinds)))

        await asyncio.gather(*(some() for _ in range(16)))

    going = asyncio.create_task(traffic())
    audits = 0
    while not going.done() or not audits:
        report = await shoal.audit()
        assert report.is_clean, report.findings
        audits += 1
    await going
    assert len(submitted) >= _CALLS
    await shoal.stop("router", "executor", "recorder")
    report = await shoal.audit()
    assert report.is_clean, report.findings
    assert report.accepted == len(submitted)
    kept = report.unrecorded + report.routing + report.queued + report.running + report.scheduled
    assert sum(report.finished.values()) + kept == report.accepted
