"""`deliver_callback`: tells a receiver how an invocation ended, signed by Standard Webhooks.

The message is made of the record, which is written before this is called, so that nothing of it travels by the bus. It
is the same at each try but for the time of the try; its id is that of the invocation it tells of.
"""

import asyncio
import time
from contextlib import suppress
from datetime import datetime
from typing import Any

import httpx
import msgspec
from msgspec import UNSET, UnsetType

from services.executor.config import Executor
from shared import __version__, tracing
from shared.callback_secrets import CallbackSecrets
from shared.domain.callback import EVENT, signed_headers
from shared.domain.invocation import FINAL, Invocation, Status, TriggerType
from shared.domain.problem import Problem
from shared.domain.retry import asked_s
from shared.egress import EgressRefused
from shared.store.client import Store
from shared.store.invocations import Invocations
from shared.system import Context, Failure, Retryable, SystemFunction

_SUCCESS = range(200, 300)
_GONE = 410
_AROUND_S = 15.0  # of a try, for what is not the request
_SHARE = 0.8  # of the time of a try, for the request, where a tenant has less of it
_LOOKS = 5  # tries that find no record: it may be that of a store that is being restored
_READ_S, _READ_BYTES, _SAID = 2.0, 4096, 300  # of an answer, whose status is all that counts
_HEADERS = {
    "content-type": "application/json",
    "accept-encoding": "identity",
    "user-agent": f"Shoal/{__version__}",
}


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Params: of which invocation, and to whom."""

    task_id: str
    url: str


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Why it did not end well."""

    type: str
    message: str


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How an invocation ended, in the names of the REST dialect.

    `result` is null where it did not end well: then `response` is what there was all the same. What is too large is
    left out of both, `result_omitted`, and is to be had under `result_path`.
    """

    task_id: str
    id: int
    function: str
    function_name: str
    status: Status
    success: bool
    result: msgspec.Raw
    response: msgspec.Raw | UnsetType = UNSET
    result_omitted: bool | UnsetType = UNSET
    result_path: str
    error: Fault | None
    status_code: int | UnsetType = UNSET
    attempts: int
    trigger_type: TriggerType
    user_username: str | None
    parent_task_id: str | UnsetType = UNSET
    created_at: str
    started_at: str | None
    done_at: str | None
    duration_ms: float | None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The message."""

    type: str = EVENT
    timestamp: str
    data: Ended


class Callbacks:
    """The function, with what it needs."""

    def __init__(
        self, store: Store, secrets: CallbackSecrets, client: httpx.AsyncClient, *, executor: Executor
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._client = client
        self._executor = executor

    def function(self) -> SystemFunction:
        """The system function."""
        return SystemFunction(
            run=self.deliver,
            description="Tells a receiver how an invocation ended.",
            params=Told,
            timeout_s=self._executor.callback_timeout_s + _AROUND_S,
            max_retries=self._executor.callback_retries,
        )

    async def deliver(self, params: Told, context: Context) -> dict[str, Any]:
        """Post it once. Raises Retryable where another try may end better, Failure where it would not."""
        record = await Invocations(self._store, context.tenant).by_task(params.task_id)
        if record is None or record.status not in FINAL:
            said = f"No end of the invocation {params.task_id[:100]} is on record"
            raise Retryable(said, error_type="NoRecord") if context.attempt <= _LOOKS else Failure("NoRecord", said)
        body = msgspec.json.encode(event_of(record, most_bytes=self._executor.callback_bytes))
        keys = await self._keys(context.tenant)
        headers = _HEADERS | signed_headers(keys, id=record.task_id, timestamp=int(time.time()), body=body)
        within_s = min(self._executor.callback_timeout_s, context.timeout_s * _SHARE)
        try:
            async with asyncio.timeout(within_s):
                with tracing.span("POST", kind="client") as span:
                    response = await self._posted(params.url, headers | dict(tracing.passed_on()), body)
                    if tracing.on:
                        span.set({"http.request.method": "POST", "http.response.status_code": response.status_code})
        except EgressRefused as error:
            raise Failure("EgressRefused", str(error)) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise Failure("InvalidURL", "callback_url is not an address that can be posted to") from None
        except (TimeoutError, httpx.TimeoutException):
            said = f"The receiver has not answered within {within_s:g} s"
            raise Retryable(said, error_type="ReceiverUnavailable") from None
        except httpx.HTTPError as error:
            said = f"The receiver cannot be reached: {error}"
            raise Retryable(said, error_type="ReceiverUnavailable") from None
        return await self._judged(response)

    async def _keys(self, tenant: str) -> list[str]:
        """Those that sign now, the newest first. Without the operator's key it is tried again: it may be found."""
        try:
            return (await self._secrets.of(tenant)).valid(time.time())
        except Problem as problem:
            raise Retryable(problem.message, error_type="NotSigned") from None

    async def _posted(self, url: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        request = self._client.build_request("POST", url, content=body, headers=headers)
        return await self._client.send(request, stream=True, follow_redirects=False)

    async def _judged(self, response: httpx.Response) -> dict[str, Any]:
        """What the status says; the rest of the answer is for people who wonder."""
        status, said = response.status_code, await _read(response)
        if status in _SUCCESS:
            return {"status": status}
        sentence = f"The receiver answered {status}: {said}" if said else f"The receiver answered {status}"
        if status == _GONE:
            raise Failure("ReceiverGone", sentence)
        pause_s = asked_s(response.headers.get("retry-after", ""), now=time.time())
        raise Retryable(sentence, after_s=pause_s, error_type="ReceiverRefused")


def event_of(record: Invocation, *, most_bytes: int) -> Event:
    """The message about an invocation that has ended. Pure."""
    done_at, success = _stamp(record.done_at), record.status == "SUCCESS"
    fits = len(record.result.encode()) <= most_bytes
    result = msgspec.Raw(record.result.encode() if fits else b"null")
    ended = Ended(
        task_id=record.task_id,
        id=record.id,
        function=record.function_slug,
        function_name=record.function_name,
        status=record.status,
        success=success,
        result=result if success else msgspec.Raw(b"null"),
        response=UNSET if success or bytes(result) == b"null" else result,
        result_omitted=UNSET if fits else True,
        result_path=f"/api/functions/result/{record.task_id}/",
        error=None if success else Fault(type=record.error_type, message=record.error),
        status_code=record.status_code or UNSET,
        attempts=record.attempts,
        trigger_type=record.trigger_type,
        user_username=record.user_username,
        parent_task_id=record.parent_task_id or UNSET,
        created_at=_stamp(record.created_at) or "",
        started_at=_stamp(record.started_at),
        done_at=done_at,
        duration_ms=record.duration_us / 1000 if record.started_at else None,
    )
    return Event(timestamp=done_at or ended.created_at, data=ended)


def _stamp(at: datetime | None) -> str | None:
    """A UTC time to the millisecond, which is what the record keeps."""
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _read(response: httpx.Response) -> str:
    """The beginning of an answer, as far as it comes soon; then the connection can be used again, or is closed."""
    said = b""
    try:
        with suppress(TimeoutError, httpx.HTTPError):
            async with asyncio.timeout(_READ_S):
                async for part in response.aiter_raw():
                    said += part
                    if len(said) > _READ_BYTES:
                        break
    finally:
        await response.aclose()
    return said[:_SAID].decode("utf-8", "replace").strip()
