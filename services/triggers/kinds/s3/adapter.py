"""The contract of an adapter: a way to learn of uploads. Each is a file under adapters/."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from services.triggers.kind import World
from services.triggers.kinds.s3.event import ObjectEvent
from shared.domain.event_source import EventSource, SourceConfig


class SourceFault(Exception):  # noqa: N818 - it is the source's
    """The source does not work, for the reason that its text says, in a sentence without secrets. Tried again later."""


class Take(Protocol):
    """Takes uploads on: returns when all that they set off is on disk, so that their teller may forget them.

    Raises Problem(unavailable): nothing may be forgotten then. An event that was taken before sets nothing off again.
    """

    async def __call__(self, events: Sequence[ObjectEvent]) -> None:
        """Take these."""
        ...


class Source(NamedTuple):
    """A source at work in this process, which alone has it: its typed config, its secrets opened, and what it is given.

    `take` is for what it learns, `well` says that it works now.
    """

    source: EventSource
    config: SourceConfig
    secrets: Mapping[str, str]
    world: World
    take: Take
    well: Callable[[], None]


class Adapter(Protocol):
    """Runs until it is cancelled, which it must bear at any point. Raises SourceFault, Problem(unavailable)."""

    async def __call__(self, source: Source) -> None:
        """Learn of uploads, and have them taken."""
        ...
