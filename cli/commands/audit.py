"""`shoal audit`: proves that every accepted invocation is finished, or in somebody's hands, or in a queue."""

from typing import TYPE_CHECKING, Annotated

import msgspec
from cyclopts import Parameter

from cli import show
from cli.opened import Opened, Where, run
from cli.progress import Progress

if TYPE_CHECKING:
    from shared.audit.report import Report

_HERE = Where()
_CLEAN, _FOUND, _UNDONE = 0, 1, 2
_NAMED = 100  # findings in the table; --json has them all
_FINDING = ("kind", "what", "tenant", "function", "task_id", "detail")
_COUNTS = ("accepted", "unrecorded", "routing", "queued", "running", "scheduled", "buried", "older", "dead")


def audit(
    *,
    tenant: Annotated[str, Parameter(help="only this tenant's invocations")] = "",
    settle_s: Annotated[float, Parameter(help="how long what seems wrong is given to come right")] = 5.0,
    where: Where = _HERE,
) -> int:
    """Compare what the streams have with the record: 0 where nothing is wrong, 1 where something is, 2 undone."""

    async def work(opened: Opened) -> int:
        from shared.audit.audit import audit

        progress = Progress()
        async with opened.bus() as bus:
            report = await audit(bus, opened.store, tenant=tenant, settle_s=settle_s, told=progress.told)
        progress.clear()
        tell(report, as_json=where.json)
        return _CLEAN if report.is_clean else _FOUND

    return run(where, work, failed=_UNDONE)


def tell(report: "Report", *, as_json: bool) -> None:
    """All of it for programs, what matters for people."""
    if as_json:
        show.done("", {**msgspec.to_builtins(report), "is_clean": report.is_clean}, as_json=True)
        return
    finished = {f"finished {status}": count for status, count in sorted(report.finished.items())}
    counts = {name: getattr(report, name) for name in _COUNTS}
    numbers: dict[str, int] = {**counts, **finished, **{str(kind): count for kind, count in report.found.items()}}
    show.one(numbers, list(numbers), as_json=False)
    for note in report.notes:
        print(f"note: {note}")
    if report.findings:
        print()
        show.rows([msgspec.structs.asdict(one) for one in report.findings[:_NAMED]], _FINDING, as_json=False)
    if (left := sum(report.found.values()) - _NAMED) > 0:
        print(f"and {left:,} more: --json names up to 10,000")
    print(f"{'nothing is wrong' if report.is_clean else 'not as it should be'} ({report.took_s:.1f} s)")
