"""What is there twice: a second command of a task, or a second end. The record names one; this looks at the other."""

import msgspec

from shared.audit.passes import Twice, task_of
from shared.audit.report import Finding
from shared.bus import scan, streams
from shared.bus.broker import Bus
from shared.bus.messages import Finished


async def examined(bus: Bus, twice: Twice) -> Finding | None:
    """The finding, or None where the message has gone meanwhile. Raises Problem(unavailable)."""
    stream = streams.INVOKE if twice.what == "command" else streams.EVENTS
    here = await scan.message(bus, stream, twice.sequence)
    if here is None or task_of(here.data) != twice.task_id:
        return None
    there = await scan.message(bus, stream, twice.recorded)
    _, tenant, function = twice.subject.split(".")[:3]
    found = Finding(
        kind="doubled",
        what="command" if twice.what == "command" else "end",
        tenant=tenant,
        function=function,
        task_id=twice.task_id,
        detail="",
        kept=twice.recorded,
    )
    if twice.what == "command":
        detail = f"two commands, {twice.recorded} and {twice.sequence}; the record has the first of these"
        return msgspec.structs.replace(found, command=twice.sequence, detail=detail)
    if there is not None and task_of(there.data) == twice.task_id and twice.recorded > twice.sequence:
        detail = f"ran twice; the record has the later end, {_described(there.data)}"
        return msgspec.structs.replace(found, event=twice.recorded, kept=twice.sequence, detail=detail)
    detail = f"ran twice; the later end is {_described(here.data)}"
    return msgspec.structs.replace(found, event=twice.sequence, detail=detail)


def _described(data: bytes) -> str:
    try:
        end = msgspec.json.decode(data, type=Finished)
    except msgspec.DecodeError:
        return "one that cannot be read"
    return f"{end.outcome.status} of delivery {end.delivery} by {end.executor or 'nobody'}"
