"""What every test of mending goes through."""

from services.recorder.project import project
from shared.audit.mending import Mended, Mending
from shared.audit.report import Report
from tests.audit.platform import Audited


async def mended(shoal: Audited, report: Report) -> Mended:
    """Mend what a report has, and again: the second time changes nothing, and the next audit finds nothing."""
    done = await Mending(shoal.bus, shoal.store, project).mend(report.findings)
    after = await shoal.audit()
    assert after.is_clean, (after.findings, done)
    return done
