"""A part of a list with the URLs of the parts beside it. Pure."""

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode

from services.api.dialects.rest.wire.pages import Page, Row


def page(count: int, results: list[Row], *, url: str, limit: int, skip: int) -> Page[Row]:
    """A part of a list, with the URLs of the parts beside it in the words in which this one was asked for."""
    onward = skip + limit if skip + limit < count else None
    back = max(skip - limit, 0) if skip > 0 else None
    return Page(
        count=count,
        next=None if onward is None else _turned(url, limit=limit, skip=onward),
        previous=None if back is None else _turned(url, limit=limit, skip=back),
        results=results,
    )


def _turned(url: str, *, limit: int, skip: int) -> str:
    path, _, query = url.partition("?")
    asked: Sequence[tuple[str, str]] = parse_qsl(query, keep_blank_values=True)
    by_offset = any(name in ("limit", "offset") for name, _ in asked)
    name, value = ("offset", skip) if by_offset else ("page", skip // limit + 1)
    kept = [(key, text) for key, text in asked if key != name]
    turned = [*kept, (name, str(value))] if skip else kept
    return f"{path}?{urlencode(turned)}" if turned else path
