"""Learning of uploads by listing a bucket: what a listing has that was not seen before, or not like that, is told.

Objects are taken before they are written down as seen: whoever dies in between leaves them to be told again, which is
known then by their identity. Pages come in whatever order the storage likes; SeaweedFS' is not that of the alphabet.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from services.triggers.kinds.s3.adapter import Source, SourceFault
from services.triggers.kinds.s3.aws import PAGE, S3, Listed, Page
from services.triggers.kinds.s3.event import CREATED, ObjectEvent
from shared import telemetry
from shared.store.objects_seen import Beginning, ObjectsSeen, Seen

_PAGE = PAGE
_TAKEN_AT_ONCE = 100
_SWEPT_ALWAYS = 10_000  # rows; of more, those of deleted objects are looked for when they are a tenth of them
_SWEPT_SHARE = 10
_LEAST = 10  # objects that a page counts for: who lists nothing for ever comes to an end, too
_ROWS = 3  # rows for each object that a bucket may have: before they are swept there may be others in two listings
_log = telemetry.logger("s3")


class Range(NamedTuple):
    """What is listed, and how often."""

    buckets: Sequence[str]
    prefix: str
    every_s: float


async def keep_listing(source: Source, s3: S3, listed: Range) -> None:
    """List again and again. Of the time that a listing takes as much again passes before the next one, at least."""
    lister = Lister(source, s3, prefix=listed.prefix)
    buckets = list(dict.fromkeys(listed.buckets))
    await lister.begin(buckets)
    while True:
        began = time.monotonic()
        await lister.once(buckets)
        source.well()
        took_s = time.monotonic() - began
        await asyncio.sleep(max(listed.every_s - took_s, took_s))


class Lister:
    """Lists the buckets of one source. Raises SourceFault, Problem(unavailable)."""

    def __init__(self, source: Source, s3: S3, *, prefix: str) -> None:
        self._source = source
        self._s3 = s3
        self._prefix = prefix
        self._most = source.world.settings.source_objects
        of = source.source
        self._seen = ObjectsSeen(source.world.service.store, tenant=of.tenant, source_id=of.id)
        self._to_sweep: set[str] = set()

    async def begin(self, buckets: Sequence[str]) -> None:
        """Note since when uploads to the buckets are events, before anything can go wrong."""
        of = self._source.source
        await self._seen.begin(buckets, prefix=self._prefix, made=of.created_at, changed=of.updated_at)

    async def once(self, buckets: Sequence[str]) -> None:
        """List every bucket once; one that does not let us keeps the others from nothing."""
        fault: SourceFault | None = None
        for bucket in buckets:
            try:
                await self._list(bucket)
            except SourceFault as found:
                fault = fault or found
        if fault is not None:
            raise fault

    async def _list(self, bucket: str) -> None:
        beginning = await self._seen.beginning(bucket)
        if beginning is None:
            return
        walk = _Walk(bucket, beginning, listing=time.time_ns() // 1_000_000, sweeps=bucket in self._to_sweep)
        if await self._seen.count(bucket) > _ROWS * self._most:  # of listings that were each too long
            raise SourceFault(f"More was seen of bucket '{bucket}' than is kept; make the source anew, for less of it")
        objects, looked_at, token = 0, 0, ""
        while True:
            page = await self._s3.list_page(walk.bucket, prefix=self._prefix, token=token, most=_PAGE)
            looked_at += max(len(page.objects), _LEAST)
            if looked_at > self._most:
                raise SourceFault(f"Bucket '{bucket}' has more than {self._most} objects; name a prefix")
            objects += await self._page(walk, page)
            if not page.next:
                break
            token = page.next
        if not beginning.listed:
            await self._seen.listed(bucket)
        await self._tidy(walk, objects)

    async def _page(self, walk: "_Walk", page: Page) -> int:
        """Have what is new of a page taken, then write it down; how many objects it had."""
        listed = [_row(found) for found in page.objects if not _is_folder(found)]
        known = await self._seen.known(walk.bucket, [row.key for row in listed])
        fresh = [row for row in listed if _differs(row, known.get(row.key))]
        since = None if walk.beginning.listed else _watermark(walk.beginning.since, page)
        old = [row for row in fresh if since is not None and row.modified < since and row.key not in known]
        await self._seen.enter(walk.bucket, old, known, listing=walk.listing)
        was_old = {row.key for row in old}
        told = [row for row in fresh if row.key not in was_old]
        for first in range(0, len(told), _TAKEN_AT_ONCE):
            some = told[first : first + _TAKEN_AT_ONCE]
            await self._source.take([_event(walk.bucket, row) for row in some])
            await self._seen.enter(walk.bucket, some, known, listing=walk.listing)
        if walk.sweeps and listed:
            await self._seen.mark(walk.bucket, [row.key for row in listed], listing=walk.listing)
        return len(listed)

    async def _tidy(self, walk: "_Walk", objects: int) -> None:
        """Rows of objects that are deleted leave with the next listing, which marks those that are not."""
        self._to_sweep.discard(walk.bucket)
        if walk.sweeps:
            forgotten = await self._seen.forget_unmarked(walk.bucket, listing=walk.listing)
            _log.debug("objects forgotten", source=self._source.source.public_id, count=forgotten)
            return
        rows = await self._seen.count(walk.bucket)
        gone = rows - objects
        if gone > 0 and (rows <= _SWEPT_ALWAYS or gone * _SWEPT_SHARE >= rows):
            self._to_sweep.add(walk.bucket)


class _Walk(NamedTuple):
    """One listing of one bucket, and its number. With `sweeps` it marks the rows of all that it has."""

    bucket: str
    beginning: Beginning
    listing: int
    sweeps: bool


def _watermark(since: datetime, page: Page) -> datetime:
    """The moment by the storage's clock, which says the time of a page to the second, as it does of an object.

    Rather a little too early: what was put within the last two seconds before may be told, what came after is.
    """
    skew = page.at - page.read_at if page.at is not None else timedelta(0)
    return (since + skew).replace(microsecond=0)


def _is_folder(found: Listed) -> bool:
    return found.key.endswith("/") and found.size == 0


def _row(found: Listed) -> Seen:
    modified = found.modified.astimezone(UTC)
    return Seen(found.key, found.etag, modified.replace(microsecond=modified.microsecond // 1000 * 1000), found.size)


def _differs(row: Seen, former: Seen | None) -> bool:
    return former is None or (row.etag, row.modified) != (former.etag, former.modified)


def _event(bucket: str, row: Seen) -> ObjectEvent:
    """Of the time only the second is told, as everybody who tells of the object has it."""
    at = row.modified.strftime("%Y-%m-%dT%H:%M:%SZ")
    record = {"key": row.key, "etag": row.etag, "size": row.size, "lastModified": at}
    return ObjectEvent(
        teller="list",
        name=f"{CREATED}Listed",
        bucket=bucket,
        key=row.key,
        size=row.size,
        etag=row.etag,
        at=at,
        record=record,
    )
