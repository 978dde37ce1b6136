"""What a route may answer beside its success, where its signature does not say it already."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

from shared.domain.problem import Code

Handler = TypeVar("Handler", bound=Callable[..., Any])
_SAID = "__answers__"


class Answers(NamedTuple):
    """`codes` are Problems, `also` bodies by their status, `media` what a success holds by its media type."""

    codes: frozenset[Code] = frozenset()
    also: Mapping[int, Any] = {}
    media: Mapping[str, Any] = {}


def answers(
    *codes: Code, also: Mapping[int, Any] | None = None, media: Mapping[str, Any] | None = None
) -> Callable[[Handler], Handler]:
    """Say of a handler what else it may answer: `@answers("conflict")`.

    What follows from a signature need not be said: see `operations.codes`. A test finds what was forgotten.
    """

    def said(handler: Handler) -> Handler:
        setattr(handler, _SAID, Answers(frozenset(codes), also or {}, media or {}))
        return handler

    return said


def of(handler: Callable[..., Any]) -> Answers:
    """What was said of a handler."""
    found: Answers = getattr(handler, _SAID, Answers())
    return found
