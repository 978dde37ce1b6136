"""One Shoal against another, which has other settings or another checkout's code, in one run and taking turns.

    python -m bench.versus --checkout ../before
    python -m bench.versus --set OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318

Rates on a noisy machine differ by a quarter from minute to minute. Both stand here at once, and each round gives a
ratio of two measurements that lie seconds apart; the middle of these is what is told, with the quartiles beside it.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.contenders import shoal
from bench.contenders.shoal import Shoal
from bench.meter import metered
from bench.processes import ROOT, NotRun
from bench.sample import Sample

WARM_UP_S = 3.0
WARM_S = 0.3
REST_S = 0.7  # what a measurement leaves behind is worked off before the next
BASE, OTHER = "base", "other"


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`checkout` is the folder whose code `base` runs; `settings` are `other`'s own. Seconds are of one measurement."""

    checkout: Path = ROOT
    settings: dict[str, str] = {}
    rounds: int = 14
    seconds: float = 4.0
    in_flight: int = 32


def parse(arguments: list[str]) -> Options:
    """The options on the command line; argparse ends the process over a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m bench.versus", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--checkout", type=Path, default=ROOT, help="base runs the code of this folder")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting that other has")
    parser.add_argument("--rounds", type=int, default=14)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one measurement")
    parser.add_argument("--in-flight", type=int, default=32)
    given = parser.parse_args(arguments)
    if not (given.checkout / "cli" / "__main__.py").exists():
        parser.error(f"--checkout: {given.checkout} is no checkout of Shoal")
    if wrong := [text for text in given.set if "=" not in text]:
        parser.error(f"--set must be like NAME=VALUE, got {wrong[0]!r}")
    if given.rounds < 1 or given.seconds <= 0 or given.in_flight < 1:
        parser.error("--rounds, --seconds and --in-flight must be above 0")
    return Options(
        checkout=given.checkout.resolve(),
        settings=dict(text.split("=", 1) for text in given.set),
        rounds=given.rounds,
        seconds=given.seconds,
        in_flight=given.in_flight,
    )


async def run(options: Options) -> dict[str, list[Sample]]:
    """The samples of both, by round. Raises NotRun when one does not start, RuntimeError when a call fails."""
    with tempfile.TemporaryDirectory(prefix="shoal-versus-") as root:
        folders = {side: Path(root) / side for side in (BASE, OTHER)}
        for folder in folders.values():
            folder.mkdir()
        async with (
            shoal.started(folders[BASE], checkout=options.checkout) as base,
            shoal.started(folders[OTHER], settings=options.settings) as other,
        ):
            sides = {BASE: base, OTHER: other}
            for one in sides.values():
                await one.load(in_flight=options.in_flight, seconds=WARM_UP_S, warm_s=WARM_S)
            samples: dict[str, list[Sample]] = {BASE: [], OTHER: []}
            for number in range(options.rounds):
                for side in sorted(sides, reverse=bool(number % 2)):  # each goes first as often as the other
                    samples[side].append(await _measured(sides[side], options))
            return samples


async def _measured(one: Shoal, options: Options) -> Sample:
    await asyncio.sleep(REST_S)
    return await metered(one, [one], in_flight=options.in_flight, seconds=options.seconds, warm_s=WARM_S)


def show(samples: dict[str, list[Sample]], console: Console) -> None:
    """Figures of both and their ratio."""
    table = Table("", BASE, OTHER, "ratio", "quartiles")
    rows = {
        "calls a second": ([one.rate for one in samples[side]] for side in (BASE, OTHER)),
        "p50, ms": ([one.p50_ms for one in samples[side]] for side in (BASE, OTHER)),
        "CPU a call, µs": ([sum(one.cpu_us.values()) for one in samples[side]] for side in (BASE, OTHER)),
    }
    labels = sorted({label for both in samples.values() for one in both for label in one.cpu_us})
    for what, (base, other) in rows.items():
        table.add_row(*_row(what, base, other))
    for label in labels:
        base, other = ([one.cpu_us.get(label, 0.0) for one in samples[side]] for side in (BASE, OTHER))
        if statistics.median(base) >= 1:
            table.add_row(*_row(f"  {label}", base, other))
    console.print(table)


def _row(what: str, base: Sequence[float], other: Sequence[float]) -> tuple[str, ...]:
    ratios = sorted(mine / theirs for theirs, mine in zip(base, other, strict=True) if theirs)
    if not ratios:
        return what, "-", "-", "-", "-"
    quartiles = f"{ratios[len(ratios) // 4]:.2f} to {ratios[3 * len(ratios) // 4]:.2f}"
    middles = (f"{statistics.median(side):,.1f}" for side in (base, other))
    return what, *middles, f"{statistics.median(ratios):.3f}", quartiles


if __name__ == "__main__":
    try:
        show(asyncio.run(run(parse(sys.argv[1:]))), Console())
    except NotRun as why:
        sys.exit(f"not run: {why}")
