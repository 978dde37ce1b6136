"""What a handler is given, and what it may answer."""

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from shared.tracing import NONE, Trace

Body = TypeVar("Body")


def _nothing() -> None:
    return


def always() -> bool:
    """What nobody else can have is ours."""
    return True


class Done(msgspec.Struct, frozen=True):
    """Handled: acknowledge it."""


class Later(msgspec.Struct, frozen=True):
    """Not now: hand it out again after `delay_s`. For short hiccups of the infrastructure only."""

    delay_s: float


class Drop(msgspec.Struct, frozen=True):
    """Cannot be handled, ever: it goes to DEAD with the reason."""

    reason: str


Verdict = Done | Later | Drop
DONE = Done()


class Delivery(msgspec.Struct, Generic[Body], frozen=True):
    """A typed message. `sequence` is its place in its stream, `count` how often it was handed out, from 1.

    A handler that calls `release` says that what it needs room for is over: another message may come while this one
    is still being settled. Before something is begun that must not be begun twice, `is_ours` says whether it may:
    else the message is, or will be, somebody else's. `trace` is the place in a trace that it came with.
    """

    body: Body
    sequence: int
    count: int
    release: Callable[[], None] = _nothing
    is_ours: Callable[[], bool] = always
    trace: Trace = NONE


class Stored(msgspec.Struct, frozen=True):
    """A message is on disk. `duplicate` says that it was there before, under the same id."""

    sequence: int
    duplicate: bool


class Last(msgspec.Struct, Generic[Body], frozen=True):
    """The last message of a subject, and its sequence."""

    body: Body
    sequence: int
