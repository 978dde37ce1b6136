"""`shoal dead`: what failed for good or could not be handled, to be looked into, redriven or removed."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from cli import asking, keys, show
from cli.opened import InTenant, Opened, OpenError, Where, run

if TYPE_CHECKING:
    from shared.bus.broker import Bus
    from shared.bus.dead_letters import DeadLetters, Found
    from shared.redrive import Many, Redriver

dead = App(name="dead", help="Dead letters: what failed for good, or could not be handled.")

_COLUMNS = ("id", "function", "trigger", "attempts", "error_class", "reason", "died_at", "redrivable")
_DETAILS = ("task_id", "status", "accepted_at", "user", "redrive_of", "obstacle", "params")
_HERE = Where()

OfFunction = Annotated[str, Parameter(help="only this function's, by its slug")]
All = Annotated[bool, Parameter(name="--all", negative="", help="all of the tenant's, or of the --function's")]


@dead.command(name="list")
def list_(
    *,
    function: OfFunction = "",
    limit: Annotated[int, Parameter(help="how many at most")] = 50,
    skip: Annotated[int, Parameter(help="how many to leave out first")] = 0,
    tenant: InTenant = "default",
    where: Where = _HERE,
) -> int:
    """List a tenant's dead letters, the newest first."""

    async def work(opened: Opened) -> None:
        async with _letters(opened, tenant) as (_, letters):
            count, found = await letters.listed(function, limit=max(1, limit), skip=max(0, skip))
        show.rows([_row(one) for one in found], _COLUMNS, as_json=where.json)
        if count > skip + len(found) and not where.json:
            print(f"{len(found)} of {count}: --skip {skip + len(found)} shows the next ones", file=sys.stderr)

    return run(where, work)


@dead.command(name="show")
def show_(id: int, /, *, tenant: InTenant = "default", where: Where = _HERE) -> int:
    """Show one dead letter, with what its function was called with."""

    async def work(opened: Opened) -> None:
        async with _letters(opened, tenant) as (_, letters):
            found = await letters.one(id)
        if found is None:
            raise OpenError(f"there is no dead letter {id} in tenant {tenant}")
        show.one({**_row(found), **_details(found)}, (*_COLUMNS, *_DETAILS), as_json=where.json)

    return run(where, work)


@dead.command
def redrive(
    *ids: int,
    all_: All = False,
    function: OfFunction = "",
    params: Annotated[str | None, Parameter(help="JSON object: other params for one; of a request, its body")] = None,
    tenant: InTenant = "default",
    where: Where = _HERE,
) -> int:
    """Make new invocations in the place of those that died. One that is asked for twice is made once."""

    async def work(opened: Opened) -> None:
        _check(ids, all_, function)
        wanted = _params(params, ids)
        async with _letters(opened, tenant) as (bus, letters):
            redriver = _redriver(opened, bus, where)
            if wanted is not None:
                made = await redriver.one(letters, ids[0], params=wanted)
                show.done(made.task_id, made._asdict(), as_json=where.json)
                return
            many = await (_all(redriver, letters, function) if all_ else redriver.chosen(letters, ids))
        _tell(many, as_json=where.json)

    return run(where, work)


@dead.command
def remove(
    *ids: int,
    all_: All = False,
    function: OfFunction = "",
    yes: Annotated[bool, Parameter(negative="", help="do not ask")] = False,
    tenant: InTenant = "default",
    where: Where = _HERE,
) -> int:
    """Remove dead letters for good."""

    async def work(opened: Opened) -> None:
        _check(ids, all_, function)
        async with _letters(opened, tenant) as (_, letters):
            if all_:
                count = await letters.count(function)
                asking.sure(f"{count} dead letters of {function or tenant} will be lost", function or tenant, yes=yes)
                removed = await letters.remove_all(function)
            else:
                missing = [id for id in ids if not await letters.remove(id)]
                if missing:
                    raise OpenError(f"there is no dead letter {', '.join(map(str, missing))} in tenant {tenant}")
                removed = len(ids)
        show.done(f"{removed} removed", {"removed": removed}, as_json=where.json)

    return run(where, work)


@asynccontextmanager
async def _letters(opened: Opened, tenant: str) -> "AsyncIterator[tuple[Bus, DeadLetters]]":
    from shared.bus.dead_letters import DeadLetters
    from shared.store import tenants

    found = await tenants.named(opened.store, tenant)
    since = found.created_at.timestamp() if found.created_at else 0.0
    async with opened.bus() as bus:
        yield bus, DeadLetters(bus, tenant, since=since)


def _redriver(opened: Opened, bus: "Bus", where: Where) -> "Redriver":
    from shared import registry
    from shared.redrive import Redriver

    return Redriver(bus, opened.store, keys.open_keys(where), registry.read())


async def _all(redriver: "Redriver", letters: "DeadLetters", function: str) -> "Many":
    """All that are there now, part by part, with a sign of life for who watches."""
    from rich.console import Console
    from rich.progress import Progress

    from shared.redrive import Many

    many = Many([], [])
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        bar = progress.add_task("redriving", total=None)
        while True:
            part = await redriver.all(letters, function, after=many.after, until=many.until)
            many = Many([*many.redriven, *part.redriven], [*many.kept, *part.kept], *part[2:])
            done = len(many.redriven) + len(many.kept)
            progress.update(bar, completed=done, total=done + part.remaining)
            if not part.remaining:
                return many


def _tell(many: "Many", *, as_json: bool) -> None:
    """Raises OpenError where some stay: the exit code is 1 then."""
    row = {
        "redriven": [one._asdict() for one in many.redriven],
        "failed": [{"id": one.id, "error": one.reason} for one in many.kept],
    }
    show.done(f"{len(many.redriven)} redriven", row, as_json=as_json)
    if many.kept:
        lines = [f"{one.id}: {one.reason}" for one in many.kept]
        raise OpenError("\nshoal: ".join([f"{len(many.kept)} stay:", *lines]))


def _check(ids: tuple[int, ...], all_: bool, function: str) -> None:
    """Raises OpenError."""
    if all_ == bool(ids):
        raise OpenError("name the letters by their ids, or say --all, and not both")
    if function and not all_:
        raise OpenError("--function goes with --all")


def _params(text: str | None, ids: tuple[int, ...]) -> Any:
    """Raises OpenError."""
    import msgspec

    if text is None:
        return None
    if len(ids) != 1:
        raise OpenError("--params are for one letter")
    try:
        msgspec.json.decode(text.encode(), type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        raise OpenError("--params must be a JSON object") from None
    return msgspec.Raw(text.encode().strip())


def _row(found: "Found") -> dict[str, Any]:
    from datetime import UTC, datetime

    from shared.redrive import fault_of

    letter = found.letter
    return {
        "id": found.id,
        "function": found.function,
        "trigger": letter.trigger_type,
        "attempts": letter.attempts,
        "error_class": letter.error_class,
        "reason": letter.reason,
        "died_at": datetime.fromtimestamp(letter.at, UTC),
        "redrivable": not fault_of(found),
    }


def _details(found: "Found") -> dict[str, Any]:
    """Header lines of a request are nobody's but its handler's."""
    from datetime import UTC, datetime

    from shared.redrive import fault_of

    letter, command = found.letter, found.command
    details: dict[str, Any] = dict.fromkeys(_DETAILS)
    details |= {"task_id": letter.task_id, "obstacle": fault_of(found)}
    if letter.accepted_at:
        details |= {"status": letter.status, "accepted_at": datetime.fromtimestamp(letter.accepted_at, UTC)}
    if command is not None:
        text = bytes(command.params if command.request is None else command.request.body).decode("utf-8", "replace")
        details |= {"user": command.user and command.user.username, "redrive_of": command.redrive_of}
        details["params"] = _json_or_text(text)
    return details


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
