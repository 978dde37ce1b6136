"""Users: made, listed, shown, changed, signed out. `services/api/routes.py` has the paths."""

from services.api.dialects.rest.openapi.answers import answers
from services.api.dialects.rest.routes.asked import Asked, By, Numbered, To, Within, count_attempt
from services.api.dialects.rest.translate import users as translate
from services.api.dialects.rest.wire import users as wire
from services.api.dialects.rest.wire.pages import Page


async def list_users(request: Asked, *, core: To, caller: By, part: Within) -> Page[wire.User]:
    """The tenant's users."""
    count, found = await core.users.listed(caller, limit=part.limit, skip=part.skip)
    return part.page(count, [translate.user(account) for account in found], request)


async def create_user(*, core: To, caller: By, data: wire.CreateUser) -> wire.User:
    """A new user."""
    return translate.user(await core.users.create(caller, translate.draft(data)))


async def show_user(*, core: To, caller: By, number: Numbered) -> wire.User:
    """One user."""
    return translate.user(await core.users.shown(caller, number))


async def change_user(*, core: To, caller: By, number: Numbered, data: wire.PatchUser) -> wire.User:
    """Some of a user's values."""
    return translate.user(await core.users.change(caller, number, translate.values(data)))


async def sign_out_user(*, core: To, caller: By, number: Numbered) -> None:
    """The end of all logins of a user."""
    await core.users.sign_out(caller, number)


@answers("not_found")
async def show_me(*, core: To, caller: By) -> wire.Me:
    """The user who asks."""
    return translate.me(await core.users.me(caller))


@answers("not_found")
async def change_me(request: Asked, *, core: To, caller: By, data: wire.PatchMe) -> wire.Me:
    """Some of one's own values."""
    values = translate.values(data)
    if "password" in values:  # a stolen token must not guess the current one any faster than a login does
        await count_attempt(request, tenant=caller.tenant, username=caller.user.username)
    return translate.me(await core.users.change_me(caller, values, current_password=data.current_password))


@answers("not_found")
async def sign_out_me(*, core: To, caller: By) -> None:
    """The end of all one's own logins."""
    await core.users.sign_out(caller, caller.user.id)
