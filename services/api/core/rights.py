"""Who may do what: everybody reads and calls, developers and administrators change."""

from shared.domain.caller import Caller
from shared.domain.problem import Problem


def must_develop(caller: Caller) -> None:
    """Raises Problem(forbidden) for a caller who may not create, change, upload or delete."""
    if caller.role == "user":
        raise Problem("forbidden", "Your role may read and execute functions, but not change them")
