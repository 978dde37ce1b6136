"""docs/metrics.md and the code name the same metrics, with the same types and labels."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client.metrics import MetricWrapperBase

from services.recorder.standing import Standing
from shared import telemetry
from shared.bus.state import NAMES, BusState, Held, Reader
from shared.domain.function import POOLS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
ROW = re.compile(
    r"^\| `(shoal_[a-z0-9_]+)` \| (counter|gauge|histogram) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE
)
LABEL = re.compile(r"`([a-z]+)`")


class Metric(NamedTuple):
    type: str
    labels: frozenset[str]


def written() -> dict[str, Metric]:
    return {
        name: Metric(kind, frozenset(LABEL.findall(labels))) for name, kind, labels, *_ in ROW.findall(PAGE.read_text())
    }


def _exposed(name: str, kind: str) -> str:
    return f"{name}_total" if kind == "counter" else name


def in_code() -> dict[str, Metric]:
    own = [metric for metric in vars(telemetry).values() if isinstance(metric, MetricWrapperBase)]
    found = {_exposed(one._name, one._type): Metric(one._type, frozenset(one._labelnames)) for one in own}
    return found | asked()


def asked() -> dict[str, Metric]:
    """Those that are asked of the bus."""
    standing = Standing(None, lambda: {"EVENTS": 5})  # type: ignore[arg-type]  # it has been asked
    of_pools = dict.fromkeys(POOLS, Reader(1, 2))
    held = dict.fromkeys(NAMES, Held(1, 2, 7))
    standing._state = BusState(
        held=held, readers={("INVOKE", "router"): Reader()}, pools=of_pools, oldest_s={}, later=0
    )
    return {one.name: Metric(one.type, frozenset(one.samples[0].labels)) for one in standing.collect()}


def test_the_page_and_the_code_name_the_same_metrics() -> None:
    assert written() == in_code()


def test_the_page_says_which_ones_the_recorder_alone_lists() -> None:
    (said,) = re.findall(r"is listed by nobody but (.+?)\.$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    named = re.findall(r"`(shoal_[a-z_]+)`", said)
    assert sorted(named) == sorted(asked())
    assert not set(named) & {one._name for one in vars(telemetry).values() if isinstance(one, MetricWrapperBase)}


def test_a_metric_stands_on_the_page_once() -> None:
    names = [row[0] for row in ROW.findall(PAGE.read_text())]
    assert len(names) == len(set(names))


def test_every_row_of_the_page_is_read() -> None:
    """Else a wrong one would be no metric at all."""
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert len(rows) == len(ROW.findall(PAGE.read_text()))


@pytest.mark.parametrize("page", sorted(PAGE.parent.glob("**/*.md")), ids=lambda page: page.name)
def test_other_pages_name_none_that_is_not_there(page: Path) -> None:
    known = set(written())
    named = set(re.findall(r"`(shoal_[a-z0-9_]+?)(?:\{[^`]*\})?`", page.read_text()))
    bases = known | {f"{name}_{end}" for name in known for end in ("bucket", "count", "sum")}
    assert named <= bases | {name.removesuffix("_total") for name in known}
