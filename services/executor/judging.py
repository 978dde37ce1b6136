"""Whether a try is worth another one, where its mode does not say so itself. Pure."""

from services.executor.mode import Again
from shared.bus.messages import Dispatch
from shared.domain.outcome import Outcome, failure
from shared.domain.retry import is_lasting, is_passing


def judged(dispatch: Dispatch, end: Outcome | Again, *, answering: bool) -> Outcome | Again:
    """A failure that may pass is worth another try, as long as nobody has a part of an answer (`answering`).

    What a handler answers is its answer, a 503 too, to who waits for it. Where nobody does, there is only the question
    whether the work was done, which that answers with no.
    """
    if isinstance(end, Again) or answering:
        return end
    if end.status == "FAILURE":
        return end if is_lasting(end.error_type) else Again(end)
    if end.response is not None and is_passing(end.response.status) and not dispatch.reply_to:
        return Again(failure("HTTPError", f"the handler answered {end.response.status}"))
    return end
