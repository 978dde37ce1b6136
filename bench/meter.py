"""Who used the processors during a measurement."""

import os
import time
from collections.abc import Sequence

import msgspec

from bench.contenders.contender import Contender
from bench.procfs import cpu_table, ended_children_cpu_s, machine_busy_s
from bench.sample import Sample


class Meter:
    """Runs from its making until it is read."""

    def __init__(self, contenders: Sequence[Contender]) -> None:
        self._contenders = contenders
        self._before = self._now()
        self._machine_s, self._clients_s, self._at = machine_busy_s(), ended_children_cpu_s(), time.perf_counter()

    def read(self) -> tuple[dict[str, dict[str, float]], float]:
        """CPU seconds by contender and label, and the share of the machine that none of ours used."""
        wall_s, now = time.perf_counter() - self._at, self._now()
        spent = {
            name: {label: max(0.0, used - self._before[name].get(label, 0.0)) for label, used in table.items()}
            for name, table in now.items()
        }
        ours_s = sum(sum(table.values()) for table in spent.values()) + ended_children_cpu_s() - self._clients_s
        others_s = machine_busy_s() - self._machine_s - ours_s
        return spent, max(0.0, others_s / (wall_s * (os.cpu_count() or 1)))

    def _now(self) -> dict[str, dict[str, float]]:
        return {one.name: cpu_table(one.processes()) for one in self._contenders}


async def metered(
    one: Contender, contenders: Sequence[Contender], *, in_flight: int, seconds: float, warm_s: float
) -> Sample:
    """One load with the CPU time each process spent on a call. Raises RuntimeError when a call failed."""
    meter = Meter(contenders)
    sample = await one.load(in_flight=in_flight, seconds=seconds, warm_s=warm_s)
    if sample.errors:
        message = f"{one.name}: {sample.errors} of {sample.served} calls failed, the first: {sample.first_error}"
        raise RuntimeError(message)
    spent, others = meter.read()
    cpu_us = {label: used * 1e6 / max(sample.served, 1) for label, used in spent[one.name].items()}
    return msgspec.structs.replace(sample, cpu_us=cpu_us, others=others)
