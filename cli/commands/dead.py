"""`shoal dead`: what failed for good or could not be handled, to be looked into, redriven or removed."""

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter, validators

from cli import asking, keys, remote_letters, show
from cli.either import Either, over_http
from cli.exits import UNDONE, Fault
from cli.opened import InTenant, Opened, OpenError, run

if TYPE_CHECKING:
    from cli.remote import Remote
    from shared.bus.broker import Bus
    from shared.bus.dead_letters import DeadLetters, Found
    from shared.redrive import Many, Redriver

dead = App(name="dead", help="Dead letters: what failed for good, or could not be handled.")

_COLUMNS = ("id", "function", "trigger", "attempts", "error_class", "reason", "died_at", "redrivable")
_DETAILS = ("task_id", "status", "accepted_at", "user", "redrive_of", "obstacle", "params")
_HERE = Either()

OfFunction = Annotated[str, Parameter(help="only this function's, by its slug")]
All = Annotated[bool, Parameter(name="--all", negative="", help="all of the tenant's, or of the --function's")]


@dead.command(name="list")
def list_(
    *,
    function: OfFunction = "",
    limit: Annotated[int, Parameter(help="how many at most", validator=validators.Number(gte=1))] = 50,
    skip: Annotated[int, Parameter(help="how many to leave out first", validator=validators.Number(gte=0))] = 0,
    tenant: InTenant = "default",
    where: Either = _HERE,
) -> int:
    """List a tenant's dead letters, the newest first."""

    async def work(opened: Opened) -> None:
        async with _letters(opened, tenant) as (_, letters):
            count, found = await letters.listed(function, limit=limit, skip=skip)
        if function and not count:
            await _check_function(opened, tenant, function)
        listed(count, [_row(one) for one in found])

    def listed(count: int, rows: list[dict[str, Any]]) -> None:
        show.rows(rows, _COLUMNS, as_json=where.json)
        if count > skip + len(rows) and not where.json:
            print(f"{len(rows)} of {count}: --skip {skip + len(rows)} shows the next ones", file=sys.stderr)

    def ask(remote: "Remote") -> None:
        count, found = remote_letters.listed(remote, function, limit=limit, skip=skip)
        if function and not count:
            remote_letters.check_function(remote, function)
        listed(count, found)

    code = over_http(where, ask, tenant=tenant)
    return run(where, work) if code is None else code


@dead.command(name="show")
def show_(id: int, /, *, tenant: InTenant = "default", where: Either = _HERE) -> int:
    """Show one dead letter, with what its function was called with."""

    async def work(opened: Opened) -> None:
        async with _letters(opened, tenant) as (_, letters):
            found = await letters.one(id)
        if found is None:
            raise OpenError(f"there is no dead letter {id} in tenant {tenant}")
        show.one({**_row(found), **_details(found)}, (*_COLUMNS, *_DETAILS), as_json=where.json)

    def ask(remote: "Remote") -> None:
        show.one(remote_letters.one(remote, id), (*_COLUMNS, *_DETAILS), as_json=where.json)

    code = over_http(where, ask, tenant=tenant)
    return run(where, work) if code is None else code


@dead.command
def redrive(
    *ids: int,
    all_: All = False,
    function: OfFunction = "",
    params: Annotated[str | None, Parameter(help="JSON object: other params for one; of a request, its body")] = None,
    tenant: InTenant = "default",
    where: Either = _HERE,
) -> int:
    """Make new invocations in the place of those that died. One that is asked for twice is made once."""

    async def work(opened: Opened) -> None:
        _check(ids, all_, function)
        wanted = _params(params, ids)
        async with _letters(opened, tenant) as (bus, letters):
            redriver = _redriver(opened, bus, where)
            asking.tell_place(opened.place, as_json=where.json)
            if wanted is not None:
                made = await redriver.one(letters, ids[0], params=wanted)
                show.done(made.task_id, made._asdict(), as_json=where.json)
                return
            many = await (_all(redriver, letters, function) if all_ else redriver.chosen(letters, ids))
        _tell(_told(many), as_json=where.json)

    def ask(remote: "Remote") -> None:
        try:
            _check(ids, all_, function)
            wanted = _params(params, ids)
            asking.tell_place(remote.place, as_json=where.json)
            if wanted is not None:
                made = remote_letters.redriven(remote, ids, params=wanted)
                show.done(made["task_id"], made, as_json=where.json)
                return
            parts = remote_letters.all_redriven(remote, function)
            _tell(_joined(parts) if all_ else remote_letters.redriven(remote, ids), as_json=where.json)
        except OpenError as error:
            raise Fault(UNDONE, str(error).replace("\nshoal:", "")) from None

    code = over_http(where, ask, tenant=tenant)
    return run(where, work) if code is None else code


@dead.command
def remove(
    *ids: int,
    all_: All = False,
    function: OfFunction = "",
    yes: Annotated[bool, Parameter(negative="", help="do not ask")] = False,
    tenant: InTenant = "default",
    where: Either = _HERE,
) -> int:
    """Remove dead letters for good."""

    def sure(count: int, whose: str, word: str, place: str) -> None:
        what = f"{count} dead letters of {whose} will be lost"
        asking.sure(what, word, place=place, yes=yes, as_json=where.json)

    async def work(opened: Opened) -> None:
        _check(ids, all_, function)
        async with _letters(opened, tenant) as (_, letters):
            if all_:
                count = await letters.count(function)
                sure(count, function or tenant, function or tenant, opened.place)
                removed = await letters.remove_all(function)
            else:
                asking.tell_place(opened.place, as_json=where.json)
                missing = [id for id in ids if not await letters.remove(id)]
                if missing:
                    raise OpenError(f"there is no dead letter {', '.join(map(str, missing))} in tenant {tenant}")
                removed = len(ids)
        show.done(f"{removed} removed", {"removed": removed}, as_json=where.json)

    def ask(remote: "Remote") -> None:
        try:
            _check(ids, all_, function)
            if all_:
                count, _ = remote_letters.listed(remote, function, limit=1, skip=0)
                sure(count, function or "all functions", function or "all", remote.place)
            else:
                asking.tell_place(remote.place, as_json=where.json)
        except OpenError as error:
            raise Fault(UNDONE, str(error)) from None
        removed = remote_letters.all_removed(remote, function) if all_ else remote_letters.removed(remote, ids)
        show.done(f"{removed} removed", {"removed": removed}, as_json=where.json)

    code = over_http(where, ask, tenant=tenant)
    return run(where, work) if code is None else code


@asynccontextmanager
async def _letters(opened: Opened, tenant: str) -> "AsyncIterator[tuple[Bus, DeadLetters]]":
    from shared.bus.dead_letters import DeadLetters
    from shared.store import tenants

    found = await tenants.named(opened.store, tenant)
    since = found.created_at.timestamp() if found.created_at else 0.0
    async with opened.bus() as bus:
        yield bus, DeadLetters(bus, tenant, since=since)


def _redriver(opened: Opened, bus: "Bus", where: Either) -> "Redriver":
    from shared import registry
    from shared.redrive import Redriver

    return Redriver(bus, opened.store, keys.open_keys(where), registry.read())


async def _all(redriver: "Redriver", letters: "DeadLetters", function: str) -> "Many":
    """All that are there now, part by part, with a sign of life for who watches."""
    from shared.redrive import Many

    many = Many([], [])
    with _progress() as told:
        while True:
            part = await redriver.all(letters, function, after=many.after, until=many.until)
            many = Many([*many.redriven, *part.redriven], [*many.kept, *part.kept], *part[2:])
            told(len(many.redriven) + len(many.kept), part.remaining)
            if not part.remaining:
                return many


def _joined(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The same over HTTP."""
    done: dict[str, Any] = {"redriven": [], "failed": []}
    with _progress() as told:
        for part in parts:
            done = {name: done[name] + part[name] for name in done}
            told(len(done["redriven"]) + len(done["failed"]), part["remaining"])
    return done


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as progress:
        bar = progress.add_task("redriving", total=None)
        yield lambda done, remaining: progress.update(bar, completed=done, total=done + remaining)


def _told(many: "Many") -> dict[str, Any]:
    return {
        "redriven": [one._asdict() for one in many.redriven],
        "failed": [{"id": one.id, "error": one.reason} for one in many.kept],
    }


def _tell(many: dict[str, Any], *, as_json: bool) -> None:
    """Raises OpenError where some stay: the exit code is 1 then."""
    show.done(f"{len(many['redriven'])} redriven", many, as_json=as_json)
    if many["failed"]:
        lines = [f"{one['id']}: {one['error']}" for one in many["failed"]]
        raise OpenError("\nshoal: ".join([f"{len(many['failed'])} stay:", *lines]))


def _check(ids: tuple[int, ...], all_: bool, function: str) -> None:
    """Raises OpenError."""
    if all_ == bool(ids):
        raise OpenError("name the letters by their ids, or say --all, and not both")
    if function and not all_:
        raise OpenError("--function goes with --all")


async def _check_function(opened: Opened, tenant: str, slug: str) -> None:
    """Raises OpenError where there is none of that slug."""
    from shared.store.functions import Functions

    if await Functions(opened.store, tenant).by_slug(slug) is None:
        raise OpenError(f"there is no function '{slug}' in tenant {tenant}")


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
