"""Tenants, users and tokens made straight in the store, as the command line does it."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec

from shared.domain.caller import SCOPES, Caller, Role, Scope, User
from shared.domain.user import Account
from shared.passwords import hashed
from shared.store import tenants, tokens, users
from shared.store.client import Store
from tests.platform import ROOT, Platform

COMMAND_S = 60.0
PASSWORD = "correct horse battery"


async def account(
    store: Store, username: str, *, tenant: str = "default", role: Role = "user", password: str = ""
) -> Account:
    """The user of that name, made where there is none."""
    await tenants.keep(store, tenant)
    known = users.Users(store, tenant)
    kept = hashed(password) if password else ""
    draft = users.Draft(username=username, email=f"{username}@example.org", role=role, password_hash=kept)
    return await known.by_name(username) or await known.add(draft)


async def token_for(
    store: Store,
    account: Account,
    *,
    role: Role | None = None,
    scopes: frozenset[Scope] = SCOPES,
    expires_at: datetime | None = None,
) -> str:
    """A new token of this user."""
    draft = tokens.Draft(
        name="test", user_id=account.id, role=role or account.role, scopes=scopes, expires_at=expires_at
    )
    _, secret = await tokens.Tokens(store, account.tenant).add(draft)
    return secret


async def enrol(store: Store, token: str, caller: Caller, *, exactly: bool = False) -> None:
    """Let this very token speak for a user of the caller's name, tenant and role. Repeating it changes nothing.

    `exactly` gives the user the caller's number and address too, which nobody else in the tenant may have.
    """
    if await tokens.by_hash(store, tokens.hashed(token)) is not None:
        return
    if exactly:
        user = Account(
            id=caller.user.id,
            tenant=caller.tenant,
            username=caller.user.username,
            email=caller.user.email,
            role=caller.role,
            created_at=datetime.now(UTC),
        )
        await tenants.keep(store, caller.tenant)
        await store.table("users", caller.tenant).insert(msgspec.to_builtins(user, builtin_types=(datetime,)))
    else:
        user = await account(store, caller.user.username, tenant=caller.tenant, role=caller.role)
    draft = tokens.Draft(name="test", user_id=user.id, role=caller.role, scopes=caller.scopes)
    await tokens.Tokens(store, caller.tenant).add(draft, secret=token)


@asynccontextmanager
async def stranger_to(platform: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator of another tenant, `elsewhere`."""
    store = Store(platform.ready["mongodb"], database="shoal")
    user = User(id=7, username="stranger", email="stranger@example.org")
    await enrol(store, "stranger-token", Caller(tenant="elsewhere", user=user, role="admin"))
    store.close()
    headers = {"Authorization": "Bearer stranger-token"}
    async with httpx.AsyncClient(base_url=platform.url, headers=headers, timeout=30) as client:
        yield client


async def shoal(*argv: str, data_dir: Path | None = None, typed: str = "", **environ: str) -> tuple[int, str, str]:
    """One command of the command line; its exit code and what it said."""
    where = ["--data-dir", str(data_dir)] if data_dir else []
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli", *argv, *where,
        cwd=ROOT, env=inherited | environ, stdin=PIPE, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    async with asyncio.timeout(COMMAND_S):
        out, errors = await process.communicate(typed.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()
