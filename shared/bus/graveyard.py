"""Where messages go that cannot be handled: into DEAD, with the reason and their bytes as they came."""

import time

from nats.aio.msg import Msg

from shared.bus import streams, subjects
from shared.bus.broker import Bus
from shared.bus.messages import DeadLetter
from shared.bus.place import Place
from shared.domain.problem import Problem


async def bury(bus: Bus, message: Msg, *, stream: str, reason: str) -> None:
    """Put a message into DEAD; one that is too large is kept without its bytes. Raises Problem(unavailable)."""
    sequence = Place.of(message).sequence
    tokens = message.subject.split(".")
    # work.<pool>.<tenant> names no function; sched.due.<tenant>.<function id> does behind its second token, invoke and
    # events behind their first.
    if stream == streams.WORK:
        tenant, function = tokens[2], "unknown"
    else:
        tenant, function = tokens[-2:] if stream == streams.SCHEDULES else tokens[1:3]
    letter = DeadLetter(
        stream=stream, sequence=sequence, subject=message.subject, reason=reason, at=time.time(), data=message.data
    )
    try:
        await bus.store(subjects.dead(tenant, function), letter, id=f"{stream}.{sequence}")
    except Problem as problem:
        if problem.code != "too_large":
            raise
        short = DeadLetter(
            stream=stream, sequence=sequence, subject=message.subject, reason=reason, at=time.time(), data=b""
        )
        await bus.store(subjects.dead(tenant, function), short, id=f"{stream}.{sequence}")
    bus.watch.buried(stream, sequence, reason)
