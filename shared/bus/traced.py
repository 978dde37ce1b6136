"""What is handled by FastStream, as spans: questions that other services ask, where these come with a trace."""

from collections.abc import Awaitable, Callable
from typing import Any

from faststream import BaseMiddleware

from shared import tracing


class Traced(BaseMiddleware):
    """A span around the handling of a message. The subject's first word says what it is; the rest says for whom."""

    async def consume_scope(self, call_next: Callable[[Any], Awaitable[Any]], msg: Any) -> Any:
        """Handle it."""
        came_with = tracing.came_with(msg.headers)
        if not came_with.parent:
            return await call_next(msg)
        with tracing.answering(f"process {msg.raw_message.subject.partition('.')[0]}", came_with):
            return await call_next(msg)


def lines() -> dict[str, str] | None:
    """The headers of a question; None where there is no trace."""
    return dict(tracing.passed_on()) or None


def middlewares() -> list[type[Traced]]:
    """None where there are no traces."""
    return [Traced] if tracing.on else []
