"""What was done to whom, and when: the only witness when a verdict asks why something ran twice."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec

KILL, TERM, PAUSE, WORKER = "kill -9", "SIGTERM", "SIGSTOP", "kill -9 of a worker"


class Event(msgspec.Struct, kw_only=True):
    """`victim` with `pid` met `what` at `at`, Unix seconds; it was over at `until`, 0 while it is not.

    A pause is over when the process goes on, everything else when another process has the victim's place.
    """

    at: float
    what: str
    victim: str
    pid: int
    until: float = 0.0


class Journal:
    """Every event in the order of its time, on disk as it happens. `say` is told of each."""

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.events: list[Event] = []
        self._path = path
        self._say = say
        self._began = time.time()

    def note(self, what: str, victim: str, pid: int) -> Event:
        """It happens now."""
        event = Event(at=time.time(), what=what, victim=victim, pid=pid)
        self.events.append(event)
        self._write(f"{victim} (pid {pid}): {what}")
        return event

    def over(self, event: Event) -> None:
        """It is over now."""
        event.until = time.time()
        self._write(f"{event.victim}: over after {event.until - event.at:.1f} s ({event.what})")

    def remark(self, text: str) -> None:
        """Something else that is worth a line."""
        self._write(text)

    def counts(self) -> dict[str, int]:
        """How often each kind of victim met what."""
        counted = Counter(f"{event.victim.rpartition('-')[0]}: {event.what}" for event in self.events)
        return dict(sorted(counted.items()))

    def _write(self, text: str) -> None:
        line = f"{time.time() - self._began:7.1f} s  {text}"
        with self._path.open("a") as file:
            file.write(f"{time.time():.3f} {line}\n")
        self._say(line)
