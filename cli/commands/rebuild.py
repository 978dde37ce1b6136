"""`shoal rebuild`: writes the record of invocations anew, from what the streams have."""

from typing import Annotated

from cyclopts import Parameter

from cli.commands.audit import audited, check_settle
from cli.opened import Opened, OpenError, Where, run
from cli.progress import Progress

_HERE = Where()
_UNDONE = 2


def rebuild(
    *,
    wait_s: Annotated[float, Parameter(help="how long the recorder may make no step before that is told")] = 30.0,
    settle_s: Annotated[float, Parameter(help="as with shoal audit, which follows")] = 5.0,
    where: Where = _HERE,
) -> int:
    """Write the record of invocations anew from the streams, while all goes on, and audit it."""

    async def work(opened: Opened) -> int:
        from shared.audit.rebuilding import rebuild

        check_settle(settle_s)
        progress = Progress()
        async with opened.bus() as bus:
            done = await rebuild(bus, opened.store, wait_s=wait_s, told=progress.told)
            progress.clear()
            if not done:
                raise OpenError("no recorder is at work: the next one that starts writes the record anew")
            return await audited(opened, bus, settle_s=settle_s, mend=False, as_json=where.json)

    return run(where, work, failed=_UNDONE)
