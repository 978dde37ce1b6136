"""What clients asked for and what they were told: the half of the verdict that Shoal cannot write."""

from collections import Counter

import msgspec


class Submission(msgspec.Struct, kw_only=True):
    """One wish of a client. `given` are the task ids it was told, `doubts` the attempts nobody answered.

    An attempt without an answer may have been accepted or not; with a `key` all attempts are one invocation.
    `cancelled` are those of the ids of which it was told that they are. `number` travels in the params, and back in the
    result. `tries` is how many its function needs.
    """

    number: int
    kind: str
    key: str = ""
    given: list[str] = []
    cancelled: list[str] = []
    doubts: int = 0
    tries: int = 1


class Ledger:
    """All submissions, by their number."""

    def __init__(self) -> None:
        self.submissions: dict[int, Submission] = {}
        self.odd: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()  # of attempts that were repeated

    def open(self, number: int, kind: str, *, key: str = "", tries: int = 1) -> Submission:
        """A new wish."""
        self.submissions[number] = one = Submission(number=number, kind=kind, key=key, tries=tries)
        return one

    def odd_answer(self, kind: str, status: int, body: bytes) -> None:
        """An answer that no client should get."""
        self.odd[f"{kind}: {status} {body[:160].decode(errors='replace')}"] += 1

    def unanswered(self, one: Submission, told: Counter[str]) -> None:
        """A wish that its client has given up, with what it was `told` meanwhile."""
        what = ", ".join(f"{count} x {answer or 'nothing'}" for answer, count in told.most_common())
        self.odd[f"{one.kind} {one.number}, key {one.key!r}: given up after {what}"] += 1

    @property
    def given(self) -> set[str]:
        """Every id that a client was told."""
        return {task_id for one in self.submissions.values() for task_id in one.given}

    def counts(self) -> dict[str, int]:
        """Submissions by kind."""
        return dict(sorted(Counter(one.kind for one in self.submissions.values()).items()))
