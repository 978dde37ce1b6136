"""The record of invocations: one document a task id."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from shared.domain import callback
from shared.domain.function import SYSTEM_ID
from shared.domain.invocation import FINAL, TRANSITIONS, Invocation, Status, TriggerType, end_of
from shared.domain.outcome import LogLine, Outcome
from shared.domain.request import Response, restored
from shared.store.client import Document, Store, Table, Upsert

COLLECTION = "invocations"
_ROW = ("id", "tenant", "function_id", "function_name", "function_slug", "trigger_type", "user_id", "user_username")
_NEWEST, _BY_FUNCTION, _BY_STATUS, _BY_USER = "newest", "by_function_and_status", "by_status", "by_user"
_BY_APP = "by_app_and_status"
_EXACT = {
    frozenset(): _NEWEST,
    frozenset({"status"}): _BY_STATUS,
    frozenset({"user_id"}): _BY_USER,
    frozenset({"parent_task_id"}): "parent_task_id",
}
_STATUSES = sorted(TRANSITIONS)
_UNENDED = sorted(TRANSITIONS.keys() - FINAL)
_NEVER = datetime.fromtimestamp(0, UTC)
_AT_ONCE = 2000  # records removed by one call on the server: well within its deadline
_ROW_FIELDS = ("_id", *_ROW, "parent_task_id", "status", "version", "created_at", "done_at")

_LOG_FIELDS = (
    *_ROW_FIELDS,
    *(
        "method",
        "path",
        "status_code",
        "started_at",
        "duration_us",
        "peak_bytes",
        "stdout",
        "stderr",
        "logs",
        "printed",
        "warnings",
    ),
    *("error_type", "error", "traceback"),
)
_LOGS_AT_ONCE = 50
_LOGS_BYTES = 8 << 20  # of what was printed and logged, in one answer


class Place(NamedTuple):
    """Where a record stands in the list, and since when."""

    id: int
    created_at: datetime


class Past(NamedTuple):
    """Whether an attempt, or its task, is over; else who runs it since when, as far as that is on record."""

    over: bool
    executor: str = ""
    started_at: datetime | None = None


class Span(NamedTuple):
    """When a task was at work, as far as that is on record; one that never ran has an end alone."""

    started: datetime | None
    done: datetime | None

    @property
    def is_pending(self) -> bool:
        """Whether it may have begun since."""
        return self.started is None and self.done is None


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which invocations are meant; a None does not narrow."""

    function_id: int | None = None
    function_slug: str | None = None
    app_slug: str | None = None
    trigger_type: TriggerType | None = None
    user_id: int | None = None
    status: Status | None = None
    parent_task_id: str | None = None

    def query(self) -> Document:
        """The query that says so."""
        query: Document = {field: value for field, value in msgspec.structs.asdict(self).items() if value is not None}
        if self.index in (_BY_FUNCTION, _BY_APP):
            # The status stands before the id in those indexes: named, each has its part, in the order of the ids.
            query.setdefault("status", {"$in": _STATUSES})
        return query

    @property
    def name(self) -> str:
        """The filter in words, the same for the same one."""
        return msgspec.json.encode(self, order="sorted").decode()

    @property
    def index(self) -> str | None:
        """The index that knows this filter, where one knows all of it; None leaves the choice to the server."""
        given = {field for field, value in msgspec.structs.asdict(self).items() if value is not None}
        if given <= {"function_id", "status"} and "function_id" in given:
            return _BY_FUNCTION
        if given <= {"app_slug", "status"} and "app_slug" in given:
            return _BY_APP
        return _EXACT.get(frozenset(given))


class Invocations:
    """One tenant's invocations."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._table: Table = store.table(COLLECTION, tenant)

    async def by_task(self, task_id: str) -> Invocation | None:
        """The record with this task id, or None."""
        return _read(await self._table.one({"_id": task_id}))

    async def by_id(self, id: int) -> Invocation | None:
        """The record with this number, or None."""
        return _read(await self._table.one({"id": id}))

    async def finished(self, task_id: str) -> bool:
        """Whether the task's end is on record."""
        return await self._table.one({"_id": task_id, "status": {"$in": sorted(FINAL)}}, fields=["_id"]) is not None

    async def past(self, task_id: str, attempt: int) -> Past:
        """How far this attempt has come, as far as that is on record."""
        found = await self._table.one({"_id": task_id}, fields=["status", "attempts", "executor", "started_at"]) or {}
        status, ended = found.get("status"), found.get("attempts", 0)
        if status in FINAL or ended >= attempt:
            return Past(over=True)
        runs = status == "STARTED" and ended == attempt - 1
        return Past(False, found.get("executor", ""), found.get("started_at")) if runs else Past(over=False)

    async def ended(self, task_ids: Sequence[str]) -> list[str]:
        """Which of these tasks have their end on record."""
        query = {"_id": {"$in": list(task_ids)}, "status": {"$in": sorted(FINAL)}}
        found = await self._table.many(query, limit=max(len(task_ids), 1), fields=["_id"])
        return [document["_id"] for document in found]

    async def spans(self, task_ids: Sequence[str]) -> dict[str, Span]:
        """When those of these tasks that are on record were at work."""
        query = {"_id": {"$in": list(task_ids)}}
        found = await self._table.many(query, limit=max(len(task_ids), 1), fields=["_id", "started_at", "done_at"])
        return {one["_id"]: Span(one.get("started_at"), one.get("done_at")) for one in found}

    async def outcome(self, task_id: str) -> Outcome | None:
        """How the task ended, or None while its end is not on record.

        What a handler answered to a request is there with its status, and with its body as far as that is kept.
        """
        found = await self.by_task(task_id)
        return None if found is None or found.status not in FINAL else outcome_of(found)

    async def known(self, task_id: str) -> bool:
        """Whether the task is on record, ended or not."""
        return await self._table.one({"_id": task_id}, fields=["_id"]) is not None

    async def failed(self, task_id: str) -> bool | None:
        """Whether the task's end counts as an error, by its outcome or by its handler's answer.

        None for one that is not on record; one that has not ended has not failed.
        """
        found = await self._table.one({"_id": task_id}, fields=["failed"])
        return None if found is None else bool(found.get("failed"))

    async def listed(self, wanted: Filter, *, limit: int, skip: int, upto: int | None = None) -> list[Invocation]:
        """At most `limit` records that match, the newest first, without params, results and output.

        With `upto` only those whose id is not above it.
        """
        query = wanted.query() | ({} if upto is None else {"id": {"$lte": upto}})
        order = [("id", -1)]
        found = await self._table.many(
            query, order=order, limit=limit, skip=skip, fields=_ROW_FIELDS, hint=wanted.index
        )
        return [invocation for document in found if (invocation := _read(document)) is not None]

    async def logs(
        self, function_id: int, *, limit: int, since: datetime | None, failed: bool
    ) -> tuple[list[Invocation], bool]:
        """At most `limit` records that ended after `since`, the newest end first, and whether there are more.

        Without params and results; fewer where what they printed is very much. With `failed` only failures.
        """
        query, index = log_query(function_id, since=since, failed=failed)
        size, cut = 0, False

        def enough(document: Document) -> bool:
            """With one beyond what is shown: so it is known that there is one."""
            nonlocal size, cut
            cut = size > _LOGS_BYTES
            size += sum(len(document.get(field, "")) for field in ("stdout", "stderr", "logs", "traceback"))
            return cut

        found = await self._table.many_until(
            query,
            order=LOG_ORDER,
            limit=limit + 1,
            fields=_LOG_FIELDS,
            hint=index,
            at_once=_LOGS_AT_ONCE,
            enough=enough,
        )
        more = cut or len(found) > limit
        return [read for document in found[: len(found) - more] if (read := _read(document)) is not None], more

    async def count(self, wanted: Filter, *, after: int = 0, most: int = 0) -> int:
        """How many records match whose id is above `after`; at most `most` are counted, 0 for all."""
        query = wanted.query() | ({"id": {"$gt": after}} if after else {})
        return await self._table.count(query, most=most, hint=wanted.index)

    async def nth(self, wanted: Filter, nth: int, *, after: int) -> Place | None:
        """The `nth` matching record, from the oldest, of those whose id is above `after`."""
        query = wanted.query() | {"id": {"$gt": after}}
        return await self._place(query, order=1, skip=nth - 1, hint=wanted.index)

    async def newest(self) -> Place | None:
        """The record with the highest id."""
        return await self._place({}, order=-1, hint=_NEWEST)

    async def first_unended(self) -> int | None:
        """The lowest id of what has not ended, as far as it is on record."""
        found = await self._place({"status": {"$in": _UNENDED}}, order=1, hint=_BY_STATUS)
        return None if found is None else found.id

    async def unended_children(self, parents: Sequence[str], *, after: int, limit: int) -> list[Invocation]:
        """At most `limit` of what these tasks have called and has not ended, with ids above `after`, the lowest first.

        As far as it is on record, without params and results. What tells of their own ends is not among it.
        """
        query = {
            "parent_task_id": {"$in": list(parents)},
            "status": {"$in": _UNENDED},
            "id": {"$gt": after},
            "$nor": [{"function_id": SYSTEM_ID, "function_slug": callback.SLUG}],
        }
        fields = [*_ROW_FIELDS, "attempts", "started_at", "method", "path", "callback_url"]
        found = await self._table.many(query, order=[("id", 1)], limit=limit, fields=fields, hint="parent_task_id")
        return [invocation for document in found if (invocation := _read(document)) is not None]

    async def _place(self, query: Document, *, order: int, skip: int = 0, hint: str | None) -> Place | None:
        fields = ["id", "created_at"]
        found = await self._table.many(query, order=[("id", order)], limit=1, skip=skip, fields=fields, hint=hint)
        return Place(found[0]["id"], found[0]["created_at"]) if found else None

    async def delete_of(self, function_id: int) -> None:
        """Remove a function's records, however many."""
        while await self._table.delete_some({"function_id": function_id}, most=_AT_ONCE):
            pass

    async def delete_before(self, moment: float) -> None:
        """Remove what was asked before a moment, Unix seconds, however much."""
        query = {"created_at": {"$lt": datetime.fromtimestamp(moment, UTC)}}
        while await self._table.delete_some(query, most=_AT_ONCE):
            pass


LOG_ORDER = (("done_at", -1), ("id", -1))


def log_query(function_id: int, *, since: datetime | None, failed: bool) -> tuple[Document, str]:
    """The query for a function's log, and the index that knows it."""
    query: Document = {"function_id": function_id, "done_at": {"$gt": since or _NEVER}}  # what has not ended has none
    return ({**query, "failed": True}, "failures_by_end") if failed else (query, "by_end")


async def write(store: Store, writes: Sequence[Upsert]) -> list[int]:
    """Write many records of any tenants at once; the positions whose record had been finished before."""
    return await store.write_many(COLLECTION, writes)


async def ends(store: Store, task_ids: Sequence[str]) -> dict[str, int]:
    """The sequences of the events that ended those of the tasks, of any tenants, that have their end on record."""
    query = {"_id": {"$in": list(task_ids)}, "event": {"$exists": True}}
    found = await store.global_many(COLLECTION, query, limit=max(len(task_ids), 1), fields=["event"])
    return {document["_id"]: document["event"] for document in found}


async def expired(store: Store, *, after: float, before: float, limit: int) -> list[Invocation]:
    """At most `limit` invocations of any tenants that wait, and expired between these moments, Unix seconds.

    The first to expire first, without params.
    """
    span = {"$gt": datetime.fromtimestamp(after, UTC), "$lt": datetime.fromtimestamp(before, UTC)}
    query = {"status": "PENDING", "expires_at": span}
    fields = [*_ROW_FIELDS, "expires_at", "attempts", "method", "path", "callback_url"]
    found = await store.global_many(COLLECTION, query, order=[("expires_at", 1)], limit=limit, fields=fields)
    return [invocation for document in found if (invocation := _read(document)) is not None]


async def statuses(store: Store, task_ids: Sequence[str]) -> dict[str, Status]:
    """The statuses of those of the tasks, of any tenants, that are on record."""
    query = {"_id": {"$in": list(task_ids)}}
    found = await store.global_many(COLLECTION, query, limit=max(len(task_ids), 1), fields=["status"])
    return {document["_id"]: document["status"] for document in found}


async def going(store: Store, *, after: datetime, before: datetime) -> set[str]:
    """Tenants of records that go by themselves between these moments. Raises Problem(unavailable)."""
    query = {"forget_at": {"$gt": after, "$lte": before}}
    return set(await store.global_distinct(COLLECTION, "tenant", query))


def outcome_of(found: Invocation) -> Outcome:
    """How an invocation ended, from its record.

    What a handler answered to a request is there with its status, and with its body as far as that is kept.
    """
    return Outcome(
        status=end_of(found.status),
        result=msgspec.Raw(found.result.encode()),
        stdout=found.stdout,
        stderr=found.stderr,
        printed=found.printed,
        logs=msgspec.json.decode(found.logs, type=list[LogLine]),
        warnings=found.warnings,
        error_type=found.error_type,
        error=found.error,
        traceback=found.traceback,
        response=_response(found),
    )


def _response(found: Invocation) -> Response | None:
    if not found.status_code or found.status != "SUCCESS":
        return None
    return restored(Response(status=found.status_code, kept=found.answer), found.result.encode())


def _read(document: Document | None) -> Invocation | None:
    if document is None:
        return None
    return msgspec.convert({**document, "task_id": document["_id"]}, Invocation)
