"""What is answered from the record, as to a request whose idempotency key another one has sent. Pure."""

from shared import answers
from shared.answers import Answer
from shared.domain.idempotency import MISSING, REPLAYED
from shared.domain.outcome import Outcome
from shared.exchange import Line

_REPLAYED: Line = (REPLAYED.encode(), b"true")
_WITHOUT_HEADERS: Line = (MISSING.encode(), b"headers")


def lines(outcome: Outcome | None) -> list[Line]:
    """The lines that say so."""
    kept = outcome.response.kept if outcome is not None and outcome.response is not None else None
    return [_REPLAYED, _WITHOUT_HEADERS] if kept is not None and kept.trimmed else [_REPLAYED]


def instead(outcome: Outcome | None, task_id: str) -> Answer | None:
    """What is said in place of an answer that cannot be given again; None for one that can be."""
    kept = outcome.response.kept if outcome is not None and outcome.response is not None else None
    return answers.not_kept(task_id) if kept is not None and kept.body == "lost" else None
