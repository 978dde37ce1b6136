"""`shoal token`: API tokens of a tenant's users."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import App, Parameter

from cli import asking, show
from cli.either import Either, over_http
from cli.exits import MISUSED, NOT_FOUND, Fault
from cli.opened import InTenant, Opened, OpenError, run
from shared.domain.caller import SCOPES, Role, Scope, lesser

if TYPE_CHECKING:
    from cli.remote import Remote

token = App(name="token", help="API tokens of a tenant's users.")

_COLUMNS = ("id", "name", "username", "role", "scopes", "expires_at", "revoked_at", "last_used_at", "created_at")
_MOST = 10_000
_HERE = Either()


@token.command
def create(
    name: str,
    /,
    *,
    user: Annotated[str, Parameter(help="for whom it speaks; over HTTP that is who asks")] = "",
    role: Annotated[Role | None, Parameter(help="at most the user's own, which it is unless given")] = None,
    scope: Annotated[list[Scope] | None, Parameter(negative="", help="how far it reaches; all unless given")] = None,
    days: Annotated[float | None, Parameter(help="how long it is good; for ever unless given")] = None,
    tenant: InTenant = "default",
    where: Either = _HERE,
) -> int:
    """Make a token, and print it: it is not kept and cannot be shown again."""

    async def work(opened: Opened) -> None:
        from shared.store import tokens
        from shared.store.users import Users

        if not user:
            raise OpenError("--user says for whom it speaks")
        account = await Users(opened.store, tenant).by_name(user)
        if account is None:
            raise OpenError(f"there is no user '{user}' in tenant {tenant}")
        wanted = role or account.role
        if lesser(wanted, account.role) != wanted:
            raise OpenError(f"--role must be at most the user's own: {account.role}")
        draft = tokens.Draft(
            name=name,
            user_id=account.id,
            role=wanted,
            scopes=frozenset(scope) if scope else SCOPES,
            expires_at=_expiry(days),
        )
        made, secret = await tokens.Tokens(opened.store, tenant).add(draft)
        show.done(secret, {**_row(made, user), "token": secret}, as_json=where.json)

    def ask(remote: "Remote") -> None:
        if user and user != remote.get("/api/users/me/")["username"]:
            raise Fault(MISUSED, "over HTTP a token is made for who asks: leave --user away")
        until = _expiry(days)
        said = {"role": role, "scopes": scope, "expires_at": until and until.isoformat()}
        body = {"name": name, **{key: value for key, value in said.items() if value is not None}}
        made = remote.do("POST", "/api/tokens/", body=body)
        show.done(made["token"], made, as_json=where.json)

    code = over_http(where, ask, tenant=tenant)
    return run(where, work) if code is None else code


@token.command(name="list")
def list_(
    *,
    user: Annotated[str, Parameter(help="only this user's")] = "",
    tenant: InTenant = "default",
    where: Either = _HERE,
) -> int:
    """List a tenant's tokens, without their secrets."""

    async def work(opened: Opened) -> None:
        from shared.store.tokens import Tokens
        from shared.store.users import Users

        users = Users(opened.store, tenant)
        account = await users.by_name(user) if user else None
        if user and account is None:
            raise OpenError(f"there is no user '{user}' in tenant {tenant}")
        found = await Tokens(opened.store, tenant).listed(user_id=account.id if account else None, limit=_MOST)
        names = await users.by_ids([one.user_id for one in found])
        rows = [_row(one, names[one.user_id].username if one.user_id in names else "") for one in found]
        show.rows(rows, _COLUMNS, as_json=where.json)

    def ask(remote: "Remote") -> None:
        query = {"user_id": _id_of(remote, user)} if user else {}
        show.rows(list(remote.pages("/api/tokens/", **query)), _COLUMNS, as_json=where.json)

    code = over_http(where, ask, tenant=tenant)
    return run(where, work) if code is None else code


@token.command
def revoke(id: int, /, *, tenant: InTenant = "default", where: Either = _HERE) -> int:
    """Let a token speak for nobody from now on."""

    async def work(opened: Opened) -> None:
        from shared.bus.notices import IdentityChanged
        from shared.store.tokens import Tokens

        asking.tell_place(opened.place, as_json=where.json)
        token_hash = await Tokens(opened.store, tenant).revoke(id)
        await opened.announce(IdentityChanged(tenant=tenant, token=token_hash))
        revoked()

    def revoked() -> None:
        show.done(f"Token {id} is revoked", {"id": id, "revoked": True}, as_json=where.json)

    def ask(remote: "Remote") -> None:
        asking.tell_place(remote.place, as_json=where.json)
        remote.do("DELETE", f"/api/tokens/{id}/")
        revoked()

    code = over_http(where, ask, tenant=tenant)
    return run(where, work) if code is None else code


def _expiry(days: float | None) -> datetime | None:
    return None if days is None else datetime.now(UTC) + timedelta(days=days)


def _id_of(remote: "Remote", username: str) -> int:
    """Raises Fault."""
    for one in remote.pages("/api/users/"):
        if one["username"] == username.lower():
            return int(one["id"])
    raise Fault(NOT_FOUND, f"there is no user '{username}'")


def _row(one: Any, username: str) -> dict[str, Any]:
    row = msgspec.structs.asdict(one)
    return {**{column: row.get(column) for column in _COLUMNS}, "username": username}
