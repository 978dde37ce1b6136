"""What an upload sets off: each function that it matches runs once for it, however often it is told."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.triggers.deliveries import Command
from services.triggers.kind import World
from services.triggers.kinds.s3.adapter import SourceFault
from services.triggers.kinds.s3.event import ObjectEvent
from services.triggers.kinds.s3.heads import Head, HeadObject
from services.triggers.kinds.s3.identity import identity
from services.triggers.kinds.s3.lineage import Descent, Lineage
from services.triggers.kinds.s3.matching import Wanted, wanted
from services.triggers.kinds.s3.payload import payload
from shared import telemetry, tracing
from shared.domain.event_source import EventSource
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.store.invocations import Invocations, Span
from shared.submit import Origin

_log = telemetry.logger("s3")
_count = telemetry.S3_EVENTS.labels


class _Target(NamedTuple):
    """A function that is meant, and what it asks for."""

    function: Function
    wanted: Wanted


class _Upload:
    """One event, whose object's head is asked for once at most."""

    def __init__(self, source: EventSource, event: ObjectEvent, head: HeadObject | None) -> None:
        self.source = source
        self.event = event
        self._ask = head
        self._asking: asyncio.Future[Head | None] | None = None

    @property
    def can_ask(self) -> bool:
        """Whether there is anybody to ask."""
        return self._ask is not None

    async def head(self) -> Head | None:
        """The object's head; None where it is gone. Raises SourceFault, Problem(unavailable)."""
        assert self._ask is not None
        if self._asking is None:
            event = self.event
            self._asking = asyncio.ensure_future(self._ask(event.bucket, event.key, event.version_id))
        return await self._asking


class Fanout:
    """Has functions run for uploads; `s3_in_flight` runs are submitted at once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._at_once = world.settings.s3_in_flight
        self._slots = asyncio.Semaphore(self._at_once)
        self._lineage = Lineage(self._spans, world.settings)

    async def take(self, source: EventSource, events: Sequence[ObjectEvent], *, head: HeadObject | None = None) -> None:
        """Returns when all that these events set off is on disk. Taken again, they set off nothing more.

        `head` is for what an event does not say. Raises Problem(unavailable) and SourceFault: then the rest of them
        may have been taken, and all are to be told again.
        """
        for first in range(0, len(events), self._at_once):
            some = events[first : first + self._at_once]
            ends = await asyncio.gather(
                *(self._taken(_Upload(source, event, head)) for event in some), return_exceptions=True
            )
            for end in ends:
                if isinstance(end, BaseException):
                    raise end

    async def _taken(self, upload: _Upload) -> None:
        event = upload.event
        functions = await self._world.targets.of(upload.source.tenant, "s3_upload")
        asked = [_Target(function, found) for function in functions if (found := wanted(function)) is not None]
        meant: Sequence[_Target] = [target for target in asked if target.wanted.is_for(event)]
        if not meant:
            _count("unmatched").inc()
        meant = self._world.targets.bounded(meant, tenant=upload.source.tenant, kind="s3_upload")
        if meant:
            with tracing.span("upload", kind="consumer"):
                for target in meant:  # one after another: 64 uploads are taken at once already
                    await self._offered(upload, target)

    async def _offered(self, upload: _Upload, target: _Target) -> None:
        verdict = await self._mismatch(upload, target) or await self._submitted(upload, target)
        _count(verdict).inc()

    async def _mismatch(self, upload: _Upload, target: _Target) -> str:
        """Why the type of the object keeps it from this function; empty where it does not."""
        if not target.wanted.content_types:
            return ""
        content_type = upload.event.content_type
        if not content_type and upload.can_ask:
            head = await upload.head()
            if head is None:
                _note("an uploaded object is gone", upload, target)
                return "gone"
            content_type = head.content_type
        if not content_type:
            _note("the type of an uploaded object is not known", upload, target)
            return "untyped"
        return "" if target.wanted.takes(content_type) else "unmatched"

    async def _submitted(self, upload: _Upload, target: _Target) -> str:
        function, event = target.function, upload.event
        metadata = await self._metadata(upload, target)
        descent = await self._lineage.descent(function, target.wanted, event, metadata)

        def prepare(_task_id: str) -> Command:
            return _command(upload, descent)

        try:
            async with self._slots:  # not while a tenant's storage is asked: that may take as long as it likes
                delivered = await self._world.deliveries.submit(function, identity(event), prepare)
        except Problem as problem:
            if problem.code != "too_large":
                raise
            _note("an upload is too large to be told", upload, target)
            return "too_large"
        if not delivered.fresh:
            return "repeated"
        if descent.refusal:
            _note("an upload by a function's own run sets nothing off", upload, target)
            return "refused"
        self._lineage.ran(function, target.wanted, event, descent, task_id=delivered.task_id)
        return "fired"

    async def _spans(self, tenant: str, task_ids: Sequence[str]) -> Mapping[str, Span]:
        return await Invocations(self._world.service.store, tenant).spans(task_ids)

    async def _metadata(self, upload: _Upload, target: _Target) -> dict[str, str]:
        """The uploader's words, asked for where they may say that it was the function itself."""
        event = upload.event
        known = event.metadata or not upload.can_ask
        if known or not self._lineage.may_follow(target.function, target.wanted, event):
            return event.metadata
        try:
            head = await upload.head()
        except SourceFault:  # who may list and not read has nothing else to fear
            return {}
        return {} if head is None else {name.lower(): text for name, text in head.metadata.items()}


def _command(upload: _Upload, descent: Descent) -> Command:
    params = payload(upload.event, source=upload.source.name, depth=descent.depth)
    origin = Origin(trigger_type="s3_upload", parent_task_id=descent.parent, refusal=descent.refusal)
    return Command(params, origin)


def _note(action: str, upload: _Upload, target: _Target) -> None:
    event = upload.event
    _log.warning(
        action,
        tenant=upload.source.tenant,
        source=upload.source.name,
        function=target.function.slug,
        bucket=event.bucket,
        key=event.key[:200],
    )
