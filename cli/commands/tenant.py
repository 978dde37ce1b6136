"""`shoal tenant`: tenants, which only the operator makes and ends."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import App, Parameter

from cli import asking, keys, show
from cli.opened import Opened, OpenError, Where, run

if TYPE_CHECKING:
    from shared.bus.notices import FunctionChanged
    from shared.domain.signing_secrets import SigningSecret

tenant = App(name="tenant", help="Tenants: whose functions, users and invocations stand apart.")

_COLUMNS = ("slug", "name", "is_active", "limits", "rate_limits", "created_at")
_SECRET_COLUMNS = ("secret", "created_at", "expires_at")
_OVERLAP_S, _MOST_OVERLAP_S = 86_400, 30 * 86_400
_MOST = 10_000
_HERE = Where()


@tenant.command
def create(
    slug: str,
    /,
    *,
    name: Annotated[str, Parameter(help="its name for people")] = "",
    where: Where = _HERE,
) -> int:
    """Make a tenant. Its first administrator comes from `shoal user create --tenant SLUG --role admin`."""

    async def work(opened: Opened) -> None:
        from shared.store import tenants

        made = await tenants.add(opened.store, slug, name=name)
        await _announce(opened, slug)
        await _forget_dead(opened, slug, whose="those of a former tenant of this name")
        show.done(f"Tenant {slug} is made", _row(made), as_json=where.json)

    return run(where, work)


@tenant.command(name="list")
def list_(*, where: Where = _HERE) -> int:
    """List all tenants."""

    async def work(opened: Opened) -> None:
        from shared.store import tenants

        found = await tenants.listed(opened.store, limit=_MOST)
        show.rows([_row(one) for one in found], _COLUMNS, as_json=where.json)

    return run(where, work)


@tenant.command(name="show")
def show_(slug: str, /, *, where: Where = _HERE) -> int:
    """Show one tenant."""

    async def work(opened: Opened) -> None:
        from shared.store import tenants

        show.one(_row(await tenants.named(opened.store, slug)), _COLUMNS, as_json=where.json)

    return run(where, work)


@tenant.command(name="set")
def set_(
    slug: str,
    /,
    *,
    name: Annotated[str | None, Parameter(help="its name for people")] = None,
    active: Annotated[bool | None, Parameter(help="one that is not active is refused everything")] = None,
    limit: Annotated[
        list[str] | None, Parameter(negative="", help="a ceiling, such as timeout_s=60; timeout_s= takes it away")
    ] = None,
    rate: Annotated[
        list[str] | None, Parameter(negative="", help="requests a minute, such as execution=200; 0: no limit")
    ] = None,
    where: Where = _HERE,
) -> int:
    """Change a tenant: its name, its limits, whether it is active."""

    async def work(opened: Opened) -> None:
        from shared.store import tenants

        limits = dict(_amount("--limit", text) for text in limit or [])
        rates: dict[str, Any] = dict(_amount("--rate", text) for text in rate or [])
        changed = await tenants.change(opened.store, slug, name=name, is_active=active, limits=limits, rates=rates)
        await _announce(opened, slug)
        show.one(_row(changed), _COLUMNS, as_json=where.json)

    return run(where, work)


@tenant.command
def delete(
    slug: str,
    /,
    *,
    yes: Annotated[bool, Parameter(negative="", help="do not ask")] = False,
    where: Where = _HERE,
) -> int:
    """Delete a tenant with all its users, functions and invocations, for good."""

    async def work(opened: Opened) -> None:
        from shared.bus.notices import IdentityChanged
        from shared.domain.tenant import DEFAULT
        from shared.store import tenants

        if slug == DEFAULT:
            raise OpenError(f"the tenant {DEFAULT} is the operator's own and stays")
        await tenants.named(opened.store, slug)
        what = f"Everything that {slug} has will be lost"
        asking.sure(what, slug, place=opened.place, yes=yes, as_json=where.json)
        await tenants.change(opened.store, slug, is_active=False)
        await _announce(opened, slug)  # from here on nobody asks for anything
        gone = await _functions(opened, slug)
        await tenants.delete(opened.store, slug)
        await opened.announce(IdentityChanged(tenant=slug), *gone)
        await _forget_dead(opened, slug, whose="those of the tenant")
        show.done(f"Tenant {slug} is deleted", {"slug": slug, "deleted": True}, as_json=where.json)

    return run(where, work)


@tenant.command(name="callback-secret")
def callback_secret(
    slug: str,
    /,
    *,
    rotate: Annotated[bool, Parameter(negative="", help="make another one first")] = False,
    overlap_s: Annotated[int, Parameter(help="for how many seconds those before it sign beside it")] = _OVERLAP_S,
    where: Where = _HERE,
) -> int:
    """Show what a tenant's callbacks are signed with."""

    async def work(opened: Opened) -> None:
        from shared.callback_secrets import CallbackSecrets
        from shared.store import tenants

        if not 0 <= overlap_s <= _MOST_OVERLAP_S:
            raise OpenError(f"--overlap-s must be from 0 to {_MOST_OVERLAP_S}")
        await tenants.named(opened.store, slug)
        secrets = CallbackSecrets(opened.store, keys.open_keys(where))
        found = await (secrets.rotate(slug, overlap_s=overlap_s) if rotate else secrets.of(slug))
        rows = [_secret_row(one) for one in found.secrets]
        if where.json:
            show.one({"secret": rows[0]["secret"], "secrets": rows}, ("secret", "secrets"), as_json=True)
        else:
            show.rows(rows, _SECRET_COLUMNS, as_json=False)

    return run(where, work)


async def _announce(opened: Opened, slug: str) -> None:
    from shared.bus.notices import IdentityChanged

    await opened.announce(IdentityChanged(tenant=slug))


async def _forget_dead(opened: Opened, slug: str, *, whose: str) -> None:
    """Its dead letters go; where they cannot, nobody sees them, and they run out by themselves.

    What was queued when a tenant was deleted may die later: its letters go before there is another one of the name.
    """
    from shared.bus.dead_letters import DeadLetters
    from shared.domain.problem import Problem

    try:
        async with opened.bus() as bus:
            await DeadLetters(bus, slug).remove_all()
    except (OpenError, Problem) as problem:
        print(f"shoal: dead letters, {whose}, are left to run out: {problem}", file=sys.stderr)


async def _functions(opened: Opened, slug: str) -> "list[FunctionChanged]":
    """Notices that the tenant's functions are deleted."""
    from shared.bus.notices import FunctionChanged
    from shared.store.functions import Functions

    functions = Functions(opened.store, slug)
    found = await functions.listed({}, order=[("id", 1)], limit=await functions.count({}) or 1, skip=0)
    return [FunctionChanged(tenant=slug, function=one.slug, revision=0) for one in found]


def _amount(option: str, text: str) -> tuple[str, float | int | None]:
    field, equals, amount = text.partition("=")
    try:
        if not equals:
            raise ValueError
        return field, msgspec.json.decode(amount, type=int | float) if amount else None
    except (ValueError, msgspec.DecodeError):
        raise OpenError(f"{option} must be like name=60, got {text!r}") from None


def _row(one: Any) -> dict[str, Any]:
    return msgspec.structs.asdict(one)


def _secret_row(one: "SigningSecret") -> dict[str, Any]:
    return {
        "secret": one.secret,
        "created_at": datetime.fromtimestamp(one.created_at, UTC),
        "expires_at": datetime.fromtimestamp(one.expires_at, UTC) if one.expires_at else None,
    }
