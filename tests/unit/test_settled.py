"""What a consumer remembers of what it has settled: enough to know it again, and no more."""

from types import SimpleNamespace
from typing import Any

from shared.bus.place import Place
from shared.bus.settled import Settled


def message(sequence: int, *, delivery: int = 1) -> Any:
    return SimpleNamespace(reply=f"$JS.ACK.WORK.lane.{delivery}.{sequence}.{sequence}.{sequence * 1000}.0")


def test_what_comes_again_is_known_until_it_is_too_old():
    settled, soon = Settled(kept_s=60.0), Settled(kept_s=0.0)
    for sequence in range(1, 4):
        settled.add(message(sequence))
        soon.add(message(sequence))
    places = [Place.of(message(sequence, delivery=2)) for sequence in range(1, 5)]
    assert [settled.knows(place) for place in places] == [True, True, True, False]
    assert [soon.knows(place) for place in places] == [False, False, True, False]


def test_the_same_again_is_one_with_its_last_reply():
    settled = Settled(kept_s=60.0)
    settled.add(message(1))
    settled.add(message(1, delivery=2))
    assert settled.last(10) == [message(1, delivery=2).reply]
    for sequence in range(2, 30_000):
        settled.add(message(sequence))
    assert len(settled.last(30_000)) == 20_000
