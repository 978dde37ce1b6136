"""Which messages the INVOKE stream has, by their ids, however long ago they were stored."""

from collections.abc import Collection
from contextlib import aclosing

from shared.bus import scan, streams
from shared.bus.broker import Bus


async def stored_ids(bus: Bus, subject: str, ids: Collection[str], *, after: int, upto: int) -> set[str]:
    """Which of these are on a subject of INVOKE, behind the sequence `after` and not behind `upto`.

    Reads the headers of all that is there between, until each is found. Raises Problem(unavailable).
    """
    found: set[str] = set()
    if upto <= after or not ids:
        return found
    async with aclosing(scan.headers(bus, streams.INVOKE, subjects=[subject], after=after, upto=upto)) as parts:
        async for part in parts:
            found |= {entry.id for entry in part if entry.id in ids}
            if len(found) == len(ids):
                break
    return found
