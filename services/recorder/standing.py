"""The metrics that are asked of the bus. The recorder that is at work shows them, so that their sums are right.

There is one of these at a time. They are asked for when somebody reads the metrics, and not again within a few seconds.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import REGISTRY, Collector

from shared.bus import streams
from shared.bus.broker import Bus
from shared.bus.state import NOTHING, BusState, Held, look
from shared.domain.problem import Problem

RECORDER = "recorder"
_READ = (streams.INVOKE, streams.EVENTS)


class Standing(Collector):
    """Shows how the bus stands, for as long as this recorder is at work.

    `positions` says up to which sequence of which stream it has recorded everything; it is empty while another one is
    at work. While the bus is away nothing is shown, rather than what was.
    """

    def __init__(self, bus: Bus, positions: Callable[[], dict[str, int]]) -> None:
        self._bus = bus
        self._positions = positions
        self._state: BusState | None = None

    def open(self) -> None:
        """Show it from now on."""
        REGISTRY.register(self)

    def close(self) -> None:
        """Show it no more."""
        REGISTRY.unregister(self)

    async def look(self) -> None:
        """Ask anew."""
        self._state = None if not self._positions() else await self._asked()

    async def _asked(self) -> BusState | None:
        try:
            return await look(self._bus)
        except Problem:
            return None

    def describe(self) -> Iterator[Metric]:
        """All of them, without a value: nothing need be asked before anybody reads."""
        return shown()

    def collect(self) -> Iterator[Metric]:
        """What was seen at the last look."""
        positions, state = self._positions(), self._state
        if state is None or not positions:
            return
        yield from shown(state, positions)


def shown(state: BusState = NOTHING, positions: Mapping[str, int] = MappingProxyType({})) -> Iterator[Metric]:
    """The metrics, of a look at the bus and of how far the recorder is. Pure."""
    yield from _of_pools(state)
    yield from _of_streams(state)
    yield from _of_readers(state, positions)


def _of_pools(state: BusState) -> Iterator[Metric]:
    depth = GaugeMetricFamily("shoal_queue_depth", "Dispatched calls that no executor has yet", labels=["pool"])
    oldest = GaugeMetricFamily(
        "shoal_queue_oldest_seconds", "Age of the oldest dispatched call that no executor has yet", labels=["pool"]
    )
    in_flight = GaugeMetricFamily("shoal_in_flight", "Dispatched calls that executors have in hand", labels=["pool"])
    for pool, of in state.pools.items():
        depth.add_metric([pool], of.pending)
        oldest.add_metric([pool], state.oldest_s.get(pool, 0.0))
        in_flight.add_metric([pool], of.unacknowledged)
    later = GaugeMetricFamily("shoal_queue_later", "Attempts that wait for their moment", value=state.later)
    yield from (depth, oldest, in_flight, later)


def _of_streams(state: BusState) -> Iterator[Metric]:
    messages = GaugeMetricFamily("shoal_stream_messages", "Messages in a stream", labels=["stream"])
    size = GaugeMetricFamily("shoal_stream_bytes", "What a stream takes up", labels=["stream"])
    for stream, held in sorted(state.held.items()):
        messages.add_metric([stream], held.messages)
        size.add_metric([stream], held.bytes)
    letters = state.held.get(streams.DEAD, Held()).messages
    yield from (
        messages,
        size,
        GaugeMetricFamily("shoal_dead_letters_kept", "Dead letters, of all tenants", value=letters),
    )


def _of_readers(state: BusState, positions: Mapping[str, int]) -> Iterator[Metric]:
    labels = ["stream", "consumer"]
    pending = GaugeMetricFamily("shoal_consumer_pending", "Messages that a consumer has not been given", labels=labels)
    open_ = GaugeMetricFamily(
        "shoal_consumer_unacknowledged", "Messages that a consumer was given and that are not settled", labels=labels
    )
    pools = {(streams.WORK, pool): of for pool, of in state.pools.items()}
    for names, of in {**state.readers, **pools}.items():
        pending.add_metric(names, of.pending)
        open_.add_metric(names, of.unacknowledged)
    for stream in _READ:
        if stream in state.held and stream in positions:
            pending.add_metric([stream, RECORDER], max(0, state.held[stream].last_seq - positions[stream]))
    yield from (pending, open_)
