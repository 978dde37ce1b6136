"""What is printed and logged by the call that runs just now, for the facades that write to it."""

from contextvars import ContextVar

from services.executor.modes.python.output import Output

# A call has a context of its own, so that it is gone with the call; None where code of a call runs on behind its end.
OUTPUT: ContextVar[Output | None] = ContextVar("output", default=None)
