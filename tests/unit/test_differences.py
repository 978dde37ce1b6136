"""Unified diffs: as `difflib` makes them where that is cheap, and right where it is not."""

import difflib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.core import differences

TEXTS = st.lists(st.sampled_from(["a", "b", "", "c d", "\\ x", "@@ -1 +1 @@"]), max_size=30).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


def patched(before: str, lines: list[str]) -> str:
    """The text after a diff without context that is cut off: what `patch` makes of it."""
    old, new, at = before.splitlines(keepends=True), [], 0
    ended = True
    for line in lines[2:]:
        if line.startswith("@@ "):
            start, _, length = line.split()[1].lstrip("-").partition(",")
            first = int(start) - (1 if length != "0" else 0)
            new += old[at:first]
            at = first
        elif line.startswith("\\"):
            ended = False
        elif line.startswith("+"):
            new.append(f"{line[1:]}\n")
            ended = True
        else:
            if line.startswith(" "):
                new.append(old[at])
            at += 1
    text = "".join([*new, *old[at:]])
    return text if ended else text.removesuffix("\n")


@given(TEXTS, TEXTS)
def test_a_diff_leads_from_the_one_to_the_other(before: str, after: str):
    lines = differences.unified(before, after, names=("a", "b"))
    assert patched(before, lines) == after if lines else before == after


@given(TEXTS, TEXTS)
def test_beyond_its_cost_it_is_right_too(before: str, after: str):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(differences, "_MOST_STEPS", 0)
        lines = differences.unified(before, after, names=("a", "b"))
    assert patched(before, lines) == after if lines else before == after


def test_it_is_what_difflib_makes():
    before = "".join(f"line {number}\n" for number in range(60))
    after = before.replace("line 7\n", "line seven\n").replace("line 40\n", "").replace("line 50\n", "line 50\nmore\n")
    expected = difflib.unified_diff(before.splitlines(), after.splitlines(), "a", "b", lineterm="")
    assert differences.unified(before, after, names=("a", "b")) == list(expected)


def test_an_end_without_an_end_of_line_is_said():
    assert differences.unified("a\nb", "a\nb\n", names=("1", "2")) == [
        "--- 1", "+++ 2", "@@ -1,2 +1,2 @@", " a", "-b", "\\ No newline at end of file", "+b",
    ]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "head"), [("", "a\n", "@@ -0,0 +1 @@"), ("a\n", "", "@@ -1 +0,0 @@")])
def test_of_nothing(before: str, after: str, head: str):
    assert differences.unified(before, after, names=("1", "2"))[2] == head


def test_its_cost_is_bounded():
    lines = [f"{number % 997}" if number % 2 else f"old {number}" for number in range(100_000)]
    before, after = "\n".join(lines), "\n".join(lines).replace("old", "new")
    began = time.process_time()
    found = differences.unified(before, after, names=("a", "b"))
    ours = time.process_time() - began
    assert len(found) > 100_000
    began = time.process_time()
    list(difflib.unified_diff(lines[:4000], [line.replace("old", "new") for line in lines[:4000]]))
    assert ours < 10 * (time.process_time() - began)  # a part of a twenty-fifth, whose cost grows with its square
