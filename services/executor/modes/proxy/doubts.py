"""Which endpoints are in doubt: those that nobody has reached of late. A few calls at a time go on trying each."""

from collections import Counter, OrderedDict

_FAILED_TRIES = 3  # one after the other, before an endpoint is in doubt
_MOST_KNOWN = 10_000  # endpoints; the one that failed longest ago is forgotten first


class Doubts:
    """Tries that reached nobody, by endpoint. One in doubt may have `trial` calls under way."""

    def __init__(self, *, trial: int) -> None:
        self._trial = trial
        self._failed: OrderedDict[str, int] = OrderedDict()
        self._under_way: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many endpoints are in doubt."""
        return sum(1 for failed in self._failed.values() if failed >= _FAILED_TRIES)

    def enter(self, endpoint: str) -> bool:
        """Begin a call; False when the endpoint is in doubt and enough others are trying it."""
        if self._failed.get(endpoint, 0) >= _FAILED_TRIES and self._under_way[endpoint] >= self._trial:
            return False
        self._under_way[endpoint] += 1
        return True

    def leave(self, endpoint: str, *, reached: bool | None) -> None:
        """The call is over. `reached` None: it says nothing about the endpoint."""
        self._under_way[endpoint] -= 1
        if not self._under_way[endpoint]:
            del self._under_way[endpoint]
        if reached:
            self._failed.pop(endpoint, None)
        elif reached is not None:
            self._failed[endpoint] = self._failed.pop(endpoint, 0) + 1
            if len(self._failed) > _MOST_KNOWN:
                self._failed.popitem(last=False)
