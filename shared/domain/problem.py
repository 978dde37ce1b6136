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

    `fields` maps the name of a wrong input to its own sentence. Each HTTP dialect turns `code` into its status.
    """

    def __init__(self, code: Code, message: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.fields = fields or {}
