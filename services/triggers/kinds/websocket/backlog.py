"""What waits for clients that take too little of what is pushed to them: little for each, and not too much for all."""


class Backlog:
    """Of one process. `each_bytes` may wait for one of them, `all_bytes` for all, which they share."""

    def __init__(self, *, each_bytes: int, all_bytes: int) -> None:
        self._each_bytes = each_bytes
        self._all_bytes = all_bytes
        self._behind: set[object] = set()

    def __len__(self) -> int:
        return len(self._behind)

    def allows(self, one: object, waits_bytes: int) -> bool:
        """Whether more may wait for one for whom so much does, until it has caught up or is gone."""
        self._behind.add(one)
        return waits_bytes <= min(self._each_bytes, self._all_bytes // len(self._behind))

    def caught_up(self, one: object) -> None:
        """Little waits for it. Harmless where that is nothing new."""
        self._behind.discard(one)
