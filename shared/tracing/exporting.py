"""Where spans go: to a collector by OTLP over HTTP, many at a time, in a thread of the SDK's own.

A collector that is away costs a line in the log now and then: what is not taken is lost when the queue is full.
"""

import logging
import os
import socket
import time
from collections.abc import Callable

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from shared import __version__
from shared.tracing.spans import Ids, Spans

_SAY_AGAIN_S = 30.0
_ON_THE_WAY = ("opentelemetry.exporter", "opentelemetry.sdk")


class _Trouble(logging.Handler):
    """What OpenTelemetry has to say of the way to the collector, now and then, in our log's own form.

    What it says of the headers that callers send is not for our log.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell
        self._said_at = float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        now = time.monotonic()
        if not record.name.startswith(_ON_THE_WAY):
            return
        if now - self._said_at >= _SAY_AGAIN_S:
            self._said_at = now
            self._tell(record.getMessage())


def exporting(service: str, *, trouble: Callable[[str], None]) -> Spans:
    """Spans that are sent to where OTEL_EXPORTER_OTLP_ENDPOINT says."""
    log = logging.getLogger("opentelemetry")
    heard = _Trouble(trouble)
    log.addHandler(heard)
    log.propagate = False
    ours = Resource.create(
        {
            "service.name": f"shoal-{service}",
            "service.namespace": "shoal",
            "service.version": __version__,
            "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            "shoal.service": service,
        }
    )
    ids = Ids()
    # What the operator says of the resource stands against what we do.
    provider = TracerProvider(
        resource=ours.merge(OTELResourceDetector().detect()), id_generator=ids, shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Spans(provider, ids, version=__version__, closed=lambda: log.removeHandler(heard))
