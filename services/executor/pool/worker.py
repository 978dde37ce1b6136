"""What a pool knows of a worker: whose it is, what it weighs, and how it ends."""

import asyncio
from collections.abc import Callable
from typing import Any, Generic, Literal, Protocol, TypeVar

Reason = Literal["deadline", "cpu", "memory", "died", "broken", "evicted", "recycled", "unused", "cancelled", "closed"]


class Key(Protocol):
    """Whose code a worker runs, and with what limits; equal keys may use each other's workers. Hashable."""

    @property
    def tenant(self) -> str:
        """Whose share of the processes it is of."""
        ...

    @property
    def memory_mb(self) -> int:
        """What it may take up while it is busy."""
        ...

    def __hash__(self) -> int: ...


class Worker(Protocol):
    """One process of a mode. Serves one call at a time and ends once."""

    # Told of the end by whoever ends it, or notices it, before anything else happens: `end` has called it when it
    # returns.
    on_end: Callable[[Any], None] | None
    # Not to be used again after what it does: what it was made of has been replaced.
    retired: bool
    # It was made before anybody asked for it.
    spare: bool

    @property
    def alive(self) -> bool:
        """Whether a call can be sent to it."""
        ...

    @property
    def reason(self) -> Reason | None:
        """Why it has ended; `died` is by itself."""
        ...

    @property
    def exited(self) -> asyncio.Future[int | None]:
        """Its exit status or the negative number of a signal; None when nobody could see it."""
        ...

    @property
    def grown_bytes(self) -> int:
        """Memory that is its own, beyond what all of its kind share, after its last call."""
        ...

    def end(self, reason: Reason) -> None:
        """Kill it, at once and without an answer. The first reason counts."""
        ...


K = TypeVar("K", bound=Key)
W = TypeVar("W", bound=Worker)


class PooledWorker(Generic[K, W]):
    """A worker with its key, and how often it has been used. `link` is the executor's end of the process."""

    def __init__(self, key: K, link: W) -> None:
        self.key = key
        self.link = link
        self.calls = 0
        self.held_bytes = 0  # while it is idle
        self.idle_since_s = 0.0


Pooled = PooledWorker[Any, Any]
"""One of any mode."""
