"""Whether the metrics of functions count more ends than there are on record.

Only of functions that are younger than what the stream of events has: of others, records may have gone that were
counted.
"""

from shared.audit.report import Finding, Report
from shared.bus import scan, streams
from shared.bus.broker import Bus
from shared.store import deletions, metrics, states
from shared.store.client import Store
from shared.store.functions import Functions

_MOST_FUNCTIONS = 1000
_MOST_ENDS = 2_000_000  # counting them takes seconds


async def check(bus: Bus, store: Store, report: Report, *, tenant: str) -> None:
    """Add what is counted twice to the report, or a note where it is too much to be counted here."""
    events = await scan.state(bus, streams.EVENTS)
    totals = await metrics.totals(store, limit=_MOST_FUNCTIONS + 1, tenant=tenant)
    if len(totals) > _MOST_FUNCTIONS or sum(one.total for one in totals) > _MOST_ENDS:
        report.notes.append("the metrics are not compared with the record: they are too many")
        return
    deleted = await deletions.all_ids(store)
    wrong = {(finding.tenant, finding.function) for finding in report.findings}
    for one in totals if events.messages else []:
        if one.function_id in deleted:
            continue
        function = await Functions(store, one.tenant).by_id(one.function_id)
        if function is None or function.created_at <= events.whole_since or (one.tenant, function.slug) in wrong:
            continue
        recorded = await states.count_ended(store, one.tenant, one.function_id)
        if one.total > recorded:
            finding = Finding(
                kind="doubled",
                what="metrics",
                tenant=one.tenant,
                function=function.slug,
                task_id="",
                detail=f"{one.total:,} ends are counted, and {recorded:,} are on record",
                function_id=one.function_id,
            )
            report.add(finding)
