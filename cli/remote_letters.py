"""Dead letters over HTTP, as `shoal dead` shows those of a store."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cli.exits import FORBIDDEN, Fault

if TYPE_CHECKING:
    from cli.remote import Remote

_PATH = "/api/dead-letters/"
_PART = 100  # the most that one request redrives, or lists


def listed(remote: "Remote", function: str, *, limit: int, skip: int) -> tuple[int, list[dict[str, Any]]]:
    """How many there are, and a part of them, the newest first. Raises Fault."""
    query = {"function": function} if function else {}
    found: list[dict[str, Any]] = []
    while True:
        part = remote.get(_PATH, limit=min(_PART, limit - len(found)), offset=skip + len(found), **query)
        found += [row(one) for one in part["results"]]
        if len(found) >= limit or not part["results"]:
            return part["count"], found


def check_function(remote: "Remote", slug: str) -> None:
    """Raise Fault where there is no function of that slug, as far as the token may know."""
    from cli.remote import part

    try:
        remote.get(f"/api/functions/{part(slug)}/")
    except Fault as fault:
        if fault.code != FORBIDDEN:
            raise


def one(remote: "Remote", id: int) -> dict[str, Any]:
    """One, with what its function was called with. Raises Fault."""
    found = remote.get(f"{_PATH}{id}/")
    details = {"user": found["user_username"], "status": found["task_status"], "accepted_at": found["created_at"]}
    return {**row(found), **found, **details}


def redriven(remote: "Remote", ids: Sequence[int], *, params: Any = None) -> dict[str, Any]:
    """New invocations in the place of these. Raises Fault."""
    if len(ids) == 1:
        path, body = f"{_PATH}{ids[0]}/redrive/", None if params is None else b'{"params":%b}' % bytes(params)
        made: dict[str, Any] = remote.do("POST", path, body=body)
        return made if params is not None else {"redriven": [made], "failed": []}
    done: dict[str, Any] = {"redriven": [], "failed": []}
    for first in range(0, len(ids), _PART):
        part = remote.do("POST", f"{_PATH}redrive/", body={"ids": list(ids[first : first + _PART])})
        done = {name: done[name] + part[name] for name in done}
    return done


def all_redriven(remote: "Remote", function: str) -> Iterator[dict[str, Any]]:
    """The same of all that are there, part by part, each with how many remain. Raises Fault."""
    place = {"after": 0, "until": 0}
    while True:
        body = {"all": True, **({"function": function} if function else {}), **place}
        part = remote.do("POST", f"{_PATH}redrive/", body=body)
        yield part
        if not part["remaining"]:
            return
        place = {"after": part["after"], "until": part["until"]}


def removed(remote: "Remote", ids: Sequence[int]) -> int:
    """Remove these for good; how many. Raises Fault where one is not there."""
    for id in ids:
        remote.do("DELETE", f"{_PATH}{id}/")
    return len(ids)


def all_removed(remote: "Remote", function: str) -> int:
    """Remove all that are there; how many. Raises Fault."""
    count = 0
    while True:
        _, found = listed(remote, function, limit=_PART, skip=0)
        if not found:
            return count
        for letter in found:
            try:
                count += removed(remote, [letter["id"]])
            except Fault:
                if count == 0:
                    raise


def row(letter: dict[str, Any]) -> dict[str, Any]:
    """A letter as the command line has it."""
    return {**letter, "function": letter["function_slug"], "trigger": letter["trigger_type"]}
