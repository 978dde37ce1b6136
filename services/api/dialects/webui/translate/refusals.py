"""The core's refusals in this dialect's words, by what was asked for: each has statuses and sentences of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.api.core.loading import UpstreamRefused
from services.api.dialects.webui.problems import Told
from shared.domain.problem import Problem

TAKEN = "Uh-oh! This id is already registered. Please choose another id string."
NO_ID = "Only alphanumeric characters and underscores are allowed in the id"
NO_FUNCTION = "Function not found"
NO_VERSION = "Version not found"
NOT_FETCHED = "Failed to fetch the function"

_WRONG, _NOT_FOUND = 400, 404


@contextmanager
def told(words: Callable[[Problem], Problem]) -> Iterator[None]:
    """Have these words for what goes wrong within."""
    try:
        yield
    except Problem as problem:
        raise words(problem) from None


def of_creation(problem: Problem) -> Problem:
    """A function that is not made."""
    if problem.code == "conflict" and "id" in problem.fields:
        return Told(_WRONG, TAKEN)
    if problem.code == "invalid" and "id" in problem.fields:
        return Told(_WRONG, NO_ID)
    return _prefixed(problem, "content", "Error creating function")


def of_update(problem: Problem) -> Problem:
    """A function that is not changed: the cause's own text."""
    return Told(_WRONG, NO_FUNCTION) if problem.code == "not_found" else problem


def of_sync(problem: Problem) -> Problem:
    """Functions that are not as one wants them."""
    return _prefixed(problem, "", "Error loading function")


def of_valves(problem: Problem) -> Problem:
    """Valves that are not set: because of them or of the code, not because of what the function is."""
    return _prefixed(problem, "", "Error updating function valves") if problem.fields else problem


def of_version(problem: Problem) -> Problem:
    """A version that is not used, or not compared."""
    return Told(_NOT_FOUND, NO_VERSION) if problem.code == "not_found" and "version_id" in problem.fields else problem


def of_loading(problem: Problem) -> Problem:
    """Code that is not fetched."""
    return Told(problem.status, NOT_FETCHED) if isinstance(problem, UpstreamRefused) else problem


def _prefixed(problem: Problem, field: str, prefix: str) -> Problem:
    """With a prefix where it is the request that is wrong, or this field of it."""
    if problem.code != "invalid" or (field and field not in problem.fields):
        return problem
    return Told(_WRONG, f"[ERROR: {prefix}] {problem.message}")
