"""`shoal audit`: proves that every accepted invocation is finished, or in somebody's hands, or in a queue."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from cli import show
from cli.opened import Opened, OpenError, Where, run
from cli.progress import Progress

if TYPE_CHECKING:
    from shared.audit.mending import Mended
    from shared.audit.report import Report
    from shared.bus.broker import Bus

_HERE = Where()
_CLEAN, _FOUND, _UNDONE = 0, 1, 2
_ROUNDS = 100  # of mending: an audit names 10,000 findings at once
_MOST_SETTLE_S = 3600
_NAMED = 100  # findings in the table; --json has them all
_FINDING = ("kind", "what", "tenant", "function", "task_id", "detail")
_COUNTS = ("accepted", "unrecorded", "routing", "queued", "running", "scheduled", "buried", "older", "dead")


def audit(
    *,
    tenant: Annotated[str, Parameter(help="only this tenant's invocations")] = "",
    settle_s: Annotated[float, Parameter(help="how long what seems wrong is given to come right")] = 5.0,
    mend: Annotated[bool, Parameter(negative="", help="put right what is found, and look again")] = False,
    where: Where = _HERE,
) -> int:
    """Compare what the streams have with the record. Ends with 0 where nothing is wrong, with 1 where something is."""

    async def work(opened: Opened) -> int:
        check_settle(settle_s)
        async with opened.bus() as bus:
            return await audited(opened, bus, tenant=tenant, settle_s=settle_s, mend=mend, as_json=where.json)

    return run(where, work, failed=_UNDONE)


def check_settle(settle_s: float) -> None:
    """Refuse what is no time to wait. Raises OpenError."""
    if not 0 <= settle_s <= _MOST_SETTLE_S:
        raise OpenError(f"--settle-s must be from 0 to {_MOST_SETTLE_S}")


async def audited(opened: Opened, bus: "Bus", *, tenant: str = "", settle_s: float, mend: bool, as_json: bool) -> int:
    """Audit, mend if that is wanted until nothing more can be, and tell what is; the exit code."""
    from services.recorder.project import project
    from shared.audit.audit import audit
    from shared.audit.mending import Mended, Mending

    progress, mended = Progress(), Mended()
    report = await audit(bus, opened.store, tenant=tenant, settle_s=settle_s, told=progress.told)
    for _ in range(_ROUNDS if mend else 0):
        if report.is_clean:
            break
        round_ = await Mending(bus, opened.store, project).mend(report.findings, told=progress.told)
        mended.join(round_)
        report = await audit(bus, opened.store, tenant=tenant, settle_s=settle_s, told=progress.told)
        if not round_.done:
            break
    progress.clear()
    _tell(report, mended, as_json=as_json)
    return _CLEAN if report.is_clean else _FOUND


def _tell(report: "Report", mended: "Mended", *, as_json: bool) -> None:
    """All of it for programs, what matters for people."""
    if as_json:
        built: dict[str, Any] = msgspec.to_builtins(report)
        show.done("", {**built, "is_clean": report.is_clean, "mended": msgspec.to_builtins(mended)}, as_json=True)
        return
    finished = {f"finished {status}": count for status, count in sorted(report.finished.items())}
    found = {str(kind): count for kind, count in report.found.items()}
    numbers: dict[str, int] = {**{name: getattr(report, name) for name in _COUNTS}, **finished, **found}
    show.one(numbers, list(numbers), as_json=False)
    for what, count in mended.done.items():
        print(f"mended: {count:,} {what}")
    for task_id, why in mended.left.items():
        print(f"not mended: {task_id}: {why}")
    for note in report.notes:
        print(f"note: {note}")
    if report.findings:
        print()
        show.rows([msgspec.structs.asdict(one) for one in report.findings[:_NAMED]], _FINDING, as_json=False)
    if (left := sum(report.found.values()) - _NAMED) > 0:
        print(f"and {left:,} more: --json names up to 10,000")
    print(f"{'nothing is wrong' if report.is_clean else 'not as it should be'} ({report.took_s:.1f} s)")
