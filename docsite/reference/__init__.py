"""Pages that are made of the code, by their names in the site."""

from collections.abc import Callable

PAGES: dict[str, Callable[[], str]] = {}
