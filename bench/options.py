"""What one run of the benchmark is asked to do."""

import argparse

import msgspec

CONTENDERS = ("floor", "shoal", "celery")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Durations are seconds; `in_flight` is how many calls the busy measurement keeps open.

    `drain` invocations are queued for the drain; `functions` are deployed to see what they cost while idle; of
    `invocations` records lists are asked for.
    """

    only: tuple[str, ...] = CONTENDERS
    seconds: float = 4.0
    warm_s: float = 1.0
    rounds: int = 3
    in_flight: int = 32
    drain: int = 10_000
    functions: int = 1_000
    invocations: int = 1_000_000
    floor_http: str = "litestar"
    sections: tuple[str, ...] = ()
    write: bool = True
    command: str = "python -m bench"


def parse(arguments: list[str]) -> Options:
    """The options on the command line; argparse ends the process over a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", default=",".join(CONTENDERS), help="comma list of floor, shoal, celery")
    parser.add_argument("--sections", default="", help="comma list of files in bench/sections; writes no RESULTS.md")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, the contenders taking turns in each")
    parser.add_argument("--drain", type=int, default=10_000, help="invocations queued for the drain")
    parser.add_argument("--floor-http", choices=("litestar", "asgi"), default="litestar")
    parser.add_argument("--quick", action="store_true", help="one short round: does it work at all")
    parser.add_argument("--no-write", action="store_true", help="leave RESULTS.md as it is")
    given = parser.parse_args(arguments)
    only = tuple(name.strip() for name in given.only.split(","))
    sections = tuple(filter(None, (name.strip() for name in given.sections.split(","))))
    unknown = set(only) - set(CONTENDERS)
    if unknown:
        parser.error(f"--only knows {', '.join(CONTENDERS)}, not {', '.join(sorted(unknown))}")
    if given.seconds <= 0 or given.rounds < 1 or given.drain < 1:
        parser.error("--seconds, --rounds and --drain must be above 0")
    return Options(
        only=only,
        seconds=1.5 if given.quick else given.seconds,
        warm_s=0.5 if given.quick else 1.0,
        rounds=1 if given.quick else given.rounds,
        drain=min(given.drain, 1_000) if given.quick else given.drain,
        functions=100 if given.quick else 1_000,
        invocations=10_000 if given.quick else 1_000_000,
        floor_http=given.floor_http,
        sections=sections,
        write=not given.no_write and not sections,
        command=" ".join(["python -m bench", *arguments]),
    )
