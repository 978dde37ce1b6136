"""API tokens: made, listed, shown, revoked. `services/api/routes.py` has the paths."""

from services.api.dialects.rest.routes.asked import Asked, By, Id, Numbered, To, Within
from services.api.dialects.rest.translate import tokens as translate
from services.api.dialects.rest.wire import tokens as wire
from services.api.dialects.rest.wire.pages import Page


async def list_tokens(request: Asked, *, core: To, caller: By, part: Within, user_id: Id = None) -> Page[wire.Token]:
    """One's own tokens, or for an administrator another user's."""
    count, found = await core.tokens.listed(caller, user_id=user_id, limit=part.limit, skip=part.skip)
    return part.page(count, [translate.token(shown) for shown in found], request)


async def create_token(*, core: To, caller: By, data: wire.CreateToken) -> wire.NewToken:
    """A new token for oneself."""
    return translate.new_token(*await core.tokens.create(caller, translate.draft(data)))


async def show_token(*, core: To, caller: By, number: Numbered) -> wire.Token:
    """One token."""
    return translate.token(await core.tokens.shown(caller, number))


async def revoke_token(*, core: To, caller: By, number: Numbered) -> None:
    """The end of a token."""
    await core.tokens.revoke(caller, number)
