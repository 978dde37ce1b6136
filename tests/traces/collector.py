"""A collector: it takes spans by OTLP over HTTP, as a real one does, and keeps them."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.hooks import Hook, Received, response, serving

WITHIN_S = 30.0
OK = response(200, ExportTraceServiceResponse().SerializeToString(), kind="application/x-protobuf")
KINDS = ("", "internal", "server", "client", "producer", "consumer")


class Span(NamedTuple):
    """As it came. Times are Unix nanoseconds, `links` the ids of spans."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    kind: str
    began: int
    ended: int
    facts: dict[str, Any]
    links: list[tuple[str, str]]
    failed: bool

    @property
    def took(self) -> int:
        return self.ended - self.began


class Collector:
    """`spans` has all that came."""

    def __init__(self, hook: Hook) -> None:
        self.hook = hook
        self.spans: list[Span] = []
        self.raw = b""
        self._came = asyncio.Event()

    async def take(self, received: Received, writer: asyncio.StreamWriter) -> None:
        assert (received.method, received.path) == ("POST", "/v1/traces")
        body = gzip.decompress(received.body) if received.headers.get("content-encoding") == "gzip" else received.body
        self.raw += body
        request = ExportTraceServiceRequest.FromString(body)
        for of_service in request.resource_spans:
            resource = {one.key: one.value.string_value for one in of_service.resource.attributes}
            for scope in of_service.scope_spans:
                self.spans += [_span(one, resource["service.name"]) for one in scope.spans]
        self._came.set()
        writer.write(OK)

    async def until(self, found: Callable[[], Any]) -> Any:
        """What is found, as soon as there is something."""
        async with asyncio.timeout(WITHIN_S):
            while not (there := found()):
                self._came.clear()
                await self._came.wait()
        return there

    def of(self, trace: str) -> list[Span]:
        """The spans of a trace, those that began first before the others."""
        return sorted((span for span in self.spans if span.trace == trace), key=lambda span: span.began)

    async def invocation(self, task_id: str) -> Span:
        """The whole of an invocation."""

        def found() -> list[Span]:
            return [span for span in self.spans if span.facts.get("faas.invocation_id") == task_id and _is_whole(span)]

        return (await self.until(found))[0]

    async def trace(self, task_id: str, *names: str) -> list[Span]:
        """The trace of an invocation, as soon as it has spans of these names."""
        whole = await self.invocation(task_id)
        await self.until(lambda: {*names} <= {span.name for span in self.of(whole.trace)})
        return self.of(whole.trace)


def _is_whole(span: Span) -> bool:
    return span.name.startswith("invocation ")


def _span(one: Any, service: str) -> Span:
    facts = {fact.key: getattr(fact.value, fact.value.WhichOneof("value")) for fact in one.attributes}
    links = [(link.trace_id.hex(), link.span_id.hex()) for link in one.links]
    return Span(
        service,
        one.name,
        one.trace_id.hex(),
        one.span_id.hex(),
        one.parent_span_id.hex(),
        KINDS[one.kind],
        one.start_time_unix_nano,
        one.end_time_unix_nano,
        facts,
        links,
        one.status.code == one.status.STATUS_CODE_ERROR,
    )


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """One on a free port, for as long as the block runs."""
    async with serving() as hook:
        collector = Collector(hook)
        hook.answer = collector.take
        yield collector
