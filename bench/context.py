"""What every section is given."""

from pathlib import Path

import msgspec

from bench.contenders.celery import Celery
from bench.contenders.contender import Contender
from bench.contenders.floor import Floor
from bench.contenders.shoal import Shoal
from bench.options import Options
from bench.sample import Sample


class Context(msgspec.Struct, kw_only=True):
    """The running contenders (None: not run), and what earlier sections found.

    `busy` holds each contender's Sample at `options.in_flight`, for later sections to compare with; `answered` counts
    the calls each contender was given so far.
    """

    options: Options
    folder: Path
    floor: Floor | None = None
    shoal: Shoal | None = None
    celery: Celery | None = None
    busy: dict[str, Sample] = {}
    answered: dict[str, int] = {}

    def contenders(self) -> list[Contender]:
        """Those that run."""
        return [one for one in (self.floor, self.shoal, self.celery) if one is not None]

    def count(self, name: str, calls: int) -> None:
        """Remember that a contender was given so many more calls."""
        self.answered[name] = self.answered.get(name, 0) + calls
