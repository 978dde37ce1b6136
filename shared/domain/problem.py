"""The one exception the core raises: a caller's mistake, or a part of the platform that is away."""

from typing import Literal

Code = Literal[
    "invalid",
    "unauthenticated",
    "forbidden",
    "not_found",
    "conflict",
    "too_large",
    "rate_limited",
    "unavailable",
]


class Problem(Exception):  # noqa: N818 - the domain's own word; it is not always an error of ours
    """What went wrong, in a sentence for the person who can mend it.

    `fields` maps the name of a wrong input to its own sentence; `retry_after_s` says when it may be tried again, 0 for
    no such time. Each HTTP dialect turns `code` into its status.
    """

    def __init__(
        self, code: Code, message: str, fields: dict[str, str] | None = None, *, retry_after_s: int = 0
    ) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.fields = fields or {}
        self.retry_after_s = retry_after_s


def wrong(field: str, message: str) -> Problem:
    """A mistake in one input."""
    return Problem("invalid", message, {field: message})
