"""What a request at a webhook comes to: a word for the record, and the answer to its sender."""

from typing import Literal, NamedTuple

from shared import answers
from shared.answers import Answer
from shared.domain.problem import Code, Problem

Word = Literal["accepted", "duplicate", "confirmed", "rejected", "not_allowed", "too_large", "invalid", "unavailable"]

_STATUSES: dict[Code, int] = {
    "invalid": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "too_large": 413,
    "rate_limited": 429,
}
_AWAY = 503
_WORDS: dict[int, Word] = {413: "too_large", 429: "unavailable", _AWAY: "unavailable"}
UNVERIFIED = "signature verification failed"


class Verdict(NamedTuple):
    """One of them. `source` is who signed, or seems to have; `reason` a sentence for the function's owner."""

    word: Word
    answer: Answer
    source: str = ""
    reason: str = ""
    delivery_id: str = ""
    task_id: str = ""


def accepted(source: str, delivery_id: str, task_id: str, *, answer: Answer | None = None) -> Verdict:
    """A run was set off. `answer` is its handler's, where the sender has waited for it."""
    whole = answer or answers.plain(200, ok=True, task_id=task_id, duplicate=False)
    return Verdict("accepted", _named(whole, task_id), source, delivery_id=delivery_id, task_id=task_id)


def duplicate(source: str, delivery_id: str, task_id: str) -> Verdict:
    """It had set off a run before."""
    whole = _named(answers.plain(200, ok=True, duplicate=True, task_id=task_id), task_id)
    whole.lines.append((b"x-shoal-duplicate", b"true"))
    return Verdict("duplicate", whole, source, delivery_id=delivery_id, task_id=task_id)


def confirmed(source: str, reason: str, *, delivery_id: str = "", **said: object) -> Verdict:
    """It is for the platform, not for the function: it was verified, and answered here."""
    return Verdict("confirmed", answers.plain(200, **said), source, reason, delivery_id)


def rejected(source: str, reason: str, *, told: str = UNVERIFIED) -> Verdict:
    """Nobody has signed it who may."""
    return Verdict("rejected", answers.plain(401, error=told), source, reason)


def not_allowed(source: str, reason: str) -> Verdict:
    """The function takes nothing of this source."""
    return Verdict("not_allowed", answers.plain(403, error="source not allowed"), source, reason)


def stopped(problem: Problem, source: str, delivery_id: str = "") -> Verdict:
    """It cannot be taken as it is, or not now."""
    answer = answer_to(problem)
    return Verdict(_WORDS.get(answer.status, "invalid"), answer, source, problem.message, delivery_id)


def answer_to(problem: Problem) -> Answer:
    """The answer to a problem. What is no fault of the sender's is to be sent again."""
    return answers.plain(_STATUSES.get(problem.code, _AWAY), error=problem.message)


def _named(answer: Answer, task_id: str) -> Answer:
    return answer._replace(lines=[*answer.lines, (b"x-invocation-id", task_id.encode())])
