"""Which statuses an invocation may have, and how one follows another."""

from docsite.reference.tables import code, page, table
from shared.domain.invocation import FINAL, TRANSITIONS

_ABOUT = """Where an invocation is, in its record. This page is made of the table by which alone a status may change:
what is not in it does not happen, whatever order messages come in."""
_MEANS = {
    "PENDING": "accepted, and not begun: it waits on the bus",
    "STARTED": "an executor runs it; told only of calls that last (`SHOAL_EXECUTOR_NOTICE_S`)",
    "RETRY": "a try has failed, and the next one has its time",
    "SUCCESS": "it ended, and its result is there",
    "FAILURE": "it ended with an error: the function's, or one that is told by its type",
    "CANCELLED": "somebody cancelled it",
    "EXPIRED": "it was not started in time",
}


def made() -> str:
    """The page."""
    rows = [
        (code(status), _MEANS[status], ", ".join(code(then) for then in sorted(later)) or "nothing: it is an end")
        for status, later in TRANSITIONS.items()
    ]
    ends = ", ".join(code(status) for status in sorted(FINAL))
    return page("Statuses", _ABOUT, table(("status", "means", "may become"), rows), f"The ends are {ends}.\n")
