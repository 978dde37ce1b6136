"""What two texts differ in, line by line, at a bounded cost."""

from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal

_MOST_STEPS = 5_000_000  # half a second or so: beyond, what has changed is shown as replaced, right but not minimal
_MANY = 200
_CONTEXT = 3
_NO_NEWLINE = "\n\\ No newline at end of file"

_Opcode = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]


def unified(before: str, after: str, *, names: tuple[str, str]) -> list[str]:
    """The lines of a unified diff, without ends of lines; none where the texts are the same."""
    old, new = _lines(before), _lines(after)
    found: list[str] = []
    for group in _Matcher(old, new).get_grouped_opcodes(_CONTEXT):
        if not found:
            found = [f"--- {names[0]}", f"+++ {names[1]}"]
        first, last = group[0], group[-1]
        found.append(f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@")
        for tag, i, j, k, m in group:
            if tag == "equal":
                found += [f" {line}" for line in old[i:j]]
                continue
            found += [f"-{line}" for line in old[i:j]]
            found += [f"+{line}" for line in new[k:m]]
    return "\n".join(found).split("\n") if found else []


class _Matcher(SequenceMatcher[str]):
    """What compares only what lies between the first and the last difference, and no more of that than is bounded."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        self._whole = len(old), len(new)
        shorter = min(self._whole)
        self._head = next((at for at in range(shorter) if old[at] != new[at]), shorter)
        rest = shorter - self._head
        self._tail = next((at for at in range(rest) if old[-1 - at] != new[-1 - at]), rest)
        self._old, self._new = old[self._head : len(old) - self._tail], new[self._head : len(new) - self._tail]
        super().__init__(None, self._old, self._new)

    def get_opcodes(self) -> list[_Opcode]:
        """The opcodes of the whole texts."""
        head, tail, (old, new) = self._head, self._tail, self._whole
        between: list[_Opcode] = self._replaced() if self._steps() > _MOST_STEPS else super().get_opcodes()
        found: list[_Opcode] = [("equal", 0, head, 0, head)] if head else []
        found += [(tag, i + head, j + head, k + head, m + head) for tag, i, j, k, m in between]
        if tail:
            found.append(("equal", old - tail, old, new - tail, new))
        return found

    def _steps(self) -> int:
        """The most that a comparison may take: each match looks through all pairs of equal lines that are left."""
        counts, length = Counter(self._new), len(self._new)
        popular = length // 100 + 1 if length >= _MANY else length  # a line with more is no match, as `difflib` has it
        pairs = sum(counts[line] for line in self._old if counts[line] <= popular)
        return min(len(self._old), length) * (len(self._old) + pairs)

    def _replaced(self) -> list[_Opcode]:
        return [("replace", 0, len(self._old), 0, len(self._new))]


def _lines(text: str) -> list[str]:
    *lines, last = text.split("\n")
    return [*lines, last + _NO_NEWLINE] if last else lines


def _range(start: int, stop: int) -> str:
    """As `diff` says it: the first line from 1, and how many; of none, the line before them."""
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"
