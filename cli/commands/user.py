"""`shoal user`: users of a tenant, its first administrator among them."""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import App, Parameter

from cli import asking, show
from cli.opened import InTenant, Opened, Where, run
from shared.domain.caller import Role

if TYPE_CHECKING:
    from shared.domain.user import Account

user = App(name="user", help="Users of a tenant.")

_COLUMNS = ("id", "username", "role", "is_active", "email", "full_name", "created_at")
_MOST = 10_000
_HERE = Where()

FromStdin = Annotated[bool, Parameter(negative="", help="read the password from standard input, one line")]


@user.command
def create(
    username: str,
    /,
    *,
    role: Annotated[Role, Parameter(help="what the user may do: user unless given")] = "user",
    email: Annotated[str, Parameter(help="address, good for logging in too")] = "",
    full_name: Annotated[str, Parameter(help="name for people")] = "",
    password_stdin: FromStdin = False,
    no_password: Annotated[bool, Parameter(negative="", help="nobody can log in as this user; tokens work")] = False,
    tenant: InTenant = "default",
    where: Where = _HERE,
) -> int:
    """Make a user. The password is asked for, or read from standard input."""

    async def work(opened: Opened) -> None:
        from shared.store.users import Draft

        users = await _users(opened, tenant)
        kept = "" if no_password else _hashed(stdin=password_stdin)
        draft = Draft(username=username, email=email, full_name=full_name, role=role, password_hash=kept)
        made = await users.add(draft)
        show.done(f"User {made.username} is made in tenant {tenant}", _row(made), as_json=where.json)

    return run(where, work)


@user.command(name="list")
def list_(*, tenant: InTenant = "default", where: Where = _HERE) -> int:
    """List a tenant's users."""

    async def work(opened: Opened) -> None:
        found = await (await _users(opened, tenant)).listed(limit=_MOST)
        show.rows([_row(one) for one in found], _COLUMNS, as_json=where.json)

    return run(where, work)


@user.command
def set_role(username: str, role: Role, /, *, tenant: InTenant = "default", where: Where = _HERE) -> int:
    """Let a user have another role; the user's tokens have at most that from now on."""
    return run(where, lambda opened: _change(opened, tenant, username, {"role": role}, as_json=where.json))


@user.command
def set_password(
    username: str, *, password_stdin: FromStdin = False, tenant: InTenant = "default", where: Where = _HERE
) -> int:
    """Give a user another password, and end all logins with the former one."""

    async def work(opened: Opened) -> None:
        await _named(opened, tenant, username)
        values = {"password_hash": _hashed(stdin=password_stdin)}
        await _change(opened, tenant, username, values, ends_logins=True, as_json=where.json)

    return run(where, work)


@user.command
def disable(username: str, /, *, tenant: InTenant = "default", where: Where = _HERE) -> int:
    """Refuse a user everything from now on, with every login and token."""
    return run(
        where,
        lambda opened: _change(opened, tenant, username, {"is_active": False}, ends_logins=True, as_json=where.json),
    )


@user.command
def enable(username: str, /, *, tenant: InTenant = "default", where: Where = _HERE) -> int:
    """Let a user in again: tokens work at once, logins begin anew."""
    return run(where, lambda opened: _change(opened, tenant, username, {"is_active": True}, as_json=where.json))


async def _change(
    opened: Opened,
    tenant: str,
    username: str,
    values: dict[str, Any],
    *,
    ends_logins: bool = False,
    as_json: bool,
) -> None:
    from shared.bus.notices import IdentityChanged

    account = await _named(opened, tenant, username)
    changed = await (await _users(opened, tenant)).change(account.id, values, ends_logins=ends_logins)
    await opened.announce(IdentityChanged(tenant=tenant, user_id=account.id))
    show.one(_row(changed), _COLUMNS, as_json=as_json)


async def _users(opened: Opened, tenant: str) -> Any:
    from shared.domain.tenant import DEFAULT
    from shared.store import tenants
    from shared.store.users import Users

    if tenant == DEFAULT:
        await tenants.keep(opened.store, tenant)  # it may be that no service ran here yet
    await tenants.named(opened.store, tenant)
    return Users(opened.store, tenant)


async def _named(opened: Opened, tenant: str, username: str) -> "Account":
    from shared.domain.problem import Problem

    account: Account | None = await (await _users(opened, tenant)).by_name(username)
    if account is None:
        raise Problem("not_found", f"there is no user '{username}' in tenant {tenant}")
    return account


def _hashed(*, stdin: bool) -> str:
    from shared import passwords
    from shared.domain.user import check_password

    password = asking.password(stdin=stdin)
    check_password(password)
    return passwords.hashed(password)


def _row(account: "Account") -> dict[str, Any]:
    row = msgspec.structs.asdict(account)
    return {column: row[column] for column in ("tenant", *_COLUMNS)}
