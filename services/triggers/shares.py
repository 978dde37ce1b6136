"""How much of something each tenant has in this process: who has much leaves room for the others."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from shared.domain.problem import Problem


class Shares:
    """Places, of which a tenant may have `most` at once. It counts; who takes one has asked before."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._taken.total()

    def is_out(self, tenant: str) -> bool:
        """Whether the tenant has all that it may have."""
        return self._taken[tenant] >= self.most

    def take(self, tenant: str) -> None:
        """One more."""
        self._taken[tenant] += 1

    def give_back(self, tenant: str) -> None:
        """One less."""
        self._taken[tenant] -= 1
        if not self._taken[tenant]:
            del self._taken[tenant]

    @contextmanager
    def held(self, tenant: str) -> Iterator[None]:
        """One for as long as the block runs. Raises Problem(unavailable) where there is none left."""
        if self.is_out(tenant):
            raise Problem("unavailable", f"{self.most} requests are in progress already; try again in a moment")
        self.take(tenant)
        try:
            yield
        finally:
            self.give_back(tenant)
