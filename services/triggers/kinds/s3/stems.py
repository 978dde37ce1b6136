"""Which of two keys may be made of the other one. Pure."""

import re
from collections.abc import Iterator

_EXTENSION = re.compile(r"(?<=[^/])\.[A-Za-z][A-Za-z0-9]{0,4}\Z")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_WORDS = 16
_EXTENDED_BY = 64


def stem(key: str, prefix: str) -> str:
    """What is left of a key in what is made of it: without the trigger's prefix, without an extension."""
    within = key.removeprefix(prefix) or key
    return _EXTENSION.sub("", within)


def made_of(key: str, prefix: str) -> Iterator[str]:
    """The stems that this key has in it: each run of its words, each of its beginnings; its own is the first.

    Of very many words the last ones, so that this stays a few hundred texts.
    """
    within = key.removeprefix(prefix) or key
    own = stem(key, prefix)
    yield own
    words = list(_WORD.finditer(within))[-_WORDS:]
    runs = (within[first.start() : last.end()] for at, first in enumerate(words) for last in words[at:])
    beginnings = (within[:end] for end in range(max(1, len(within) - _EXTENDED_BY), len(within)))
    yield from {*runs, *beginnings} - {own}
