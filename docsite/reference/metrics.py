"""Every metric that a service tells, as it is registered."""

import importlib
import pkgutil
from collections.abc import Iterator

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

import services
import shared
from docsite.reference.tables import code, page, table
from services.recorder.standing import shown

_ABOUT = """What the services tell Prometheus at `/metrics`, made of the code. Each service tells those that are its
own. Counters end with `_total`; a histogram has `_bucket`, `_sum` and `_count`. Those of Python and of the process
(`python_…`, `process_…`) are there, too."""


def made() -> str:
    """The page."""
    _load()
    rows = sorted(set(_rows()))
    return page("Metrics", _ABOUT, table(("metric", "kind", "labels", "tells"), rows))


def _load() -> None:
    """Metrics may be made by any module of telemetry."""
    for package in (shared, services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "telemetry" in module.name or module.name.endswith((".gauges", ".metrics")):
                importlib.import_module(module.name)


def _rows() -> Iterator[tuple[str, str, str, str]]:
    for metric in shown():  # what the recorder asks of the bus is made when it is read
        labels = ", ".join(code(label) for label in getattr(metric, "_labelnames", ()))
        yield code(metric.name), metric.type, labels, metric.documentation
    for collector in list(REGISTRY._collector_to_names):  # noqa: SLF001 - labels are told nowhere else
        if isinstance(collector, MetricWrapperBase) and collector._name.startswith("shoal_"):  # noqa: SLF001
            kind = str(collector._type)  # noqa: SLF001
            name = f"{collector._name}_total" if kind == "counter" else collector._name  # noqa: SLF001
            labels = ", ".join(code(label) for label in collector._labelnames)  # noqa: SLF001
            yield code(name), kind, labels, collector._documentation  # noqa: SLF001
