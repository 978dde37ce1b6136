"""What the bus tells about itself. `telemetry.BusWatch` has the same shape; neither room knows the other."""

from typing import Protocol


class Watch(Protocol):
    """Told of what an operator may want to see or count."""

    def trouble(self, action: str, **facts: object) -> None:
        """Something did not work, and will be tried again."""

    def fault(self, action: str, error: Exception, **facts: object) -> None:
        """A handler raised what it should not: a bug of ours."""

    def redelivered(self, stream: str) -> None:
        """A message was handed out again."""

    def buried(self, stream: str, sequence: int, reason: str) -> None:
        """A message went to DEAD."""

    def died(self, stream: str, error_class: str) -> None:
        """An invocation went to DEAD."""


class Unwatched:
    """Tells nobody: for tools and tests."""

    def trouble(self, action: str, **facts: object) -> None:
        """Nothing."""

    def fault(self, action: str, error: Exception, **facts: object) -> None:
        """Nothing."""

    def redelivered(self, stream: str) -> None:
        """Nothing."""

    def buried(self, stream: str, sequence: int, reason: str) -> None:
        """Nothing."""

    def died(self, stream: str, error_class: str) -> None:
        """Nothing."""
