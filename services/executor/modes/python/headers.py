"""Header lines, as a handler sees them."""

from collections.abc import Iterator, Sequence
from typing import Any

from shared.domain.request import Header


class Headers:
    """Lines by name, in any case. Several of one name are one value, as HTTP joins them; `get_all` has them apart."""

    __slots__ = ("_lines",)

    def __init__(self, lines: Sequence[Header]) -> None:
        self._lines = tuple(lines)

    def __repr__(self) -> str:
        return f"<Headers {', '.join(self.keys())}>"

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a header, or the default."""
        values = self.get_all(name)
        if not values:
            return default
        return ("; " if name.lower() == "cookie" else ", ").join(values)

    def get_all(self, name: str) -> list[str]:
        """The values of all its lines."""
        if type(name) is not str:  # another kind of text could answer to `lower` as it likes
            raise TypeError("the name of a header is a string")
        wanted = name.lower()
        return [value for key, value in self._lines if key.lower() == wanted]

    def items(self) -> list[Header]:
        """Every line, in order."""
        return list(self._lines)

    def keys(self) -> list[str]:
        """Every name once, in small letters."""
        return list(dict.fromkeys(key.lower() for key, _ in self._lines))

    def __getitem__(self, name: str) -> str:
        value: str | None = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return type(name) is str and bool(self.get_all(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())
