"""What one run is asked to do."""

import argparse
import secrets
from pathlib import Path

import msgspec


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`count` wishes in about `minutes`. The `folder` is kept where the run fails, or when it is told to."""

    seed: int
    count: int = 100_000
    minutes: float = 10.0
    kills: bool = True
    folder: Path | None = None
    keep: bool = False

    @property
    def command(self) -> str:
        """How to do the same again."""
        kills = "" if self.kills else " --no-kills"
        return f"python -m chaos --seed {self.seed} --count {self.count} --minutes {self.minutes:g}{kills}"


def parse(arguments: list[str]) -> Options:
    """The options on the command line; argparse ends the process over a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="of the dice; a random one if it is not given")
    parser.add_argument("--count", type=int, default=100_000, help="wishes of clients")
    parser.add_argument("--minutes", type=float, default=10.0, help="the time in which they are made")
    parser.add_argument("--no-kills", action="store_true", help="nobody is killed: does the rest work?")
    parser.add_argument("--folder", type=Path, help="where everything is kept; a temporary one if it is not given")
    parser.add_argument("--keep", action="store_true", help="keep the folder though all is well")
    given = parser.parse_args(arguments)
    if given.count < 1 or given.minutes <= 0:
        parser.error("--count and --minutes must be above 0")
    seed = given.seed if given.seed is not None else secrets.randbelow(1_000_000)
    return Options(
        seed=seed,
        count=given.count,
        minutes=given.minutes,
        kills=not given.no_kills,
        folder=given.folder,
        keep=given.keep,
    )
