"""Between the settings of an app and their bodies. Pure."""

import msgspec
from msgspec import UNSET

from services.api.core.app_settings import Change, EndUsersChange
from services.api.dialects.apps.wire import config as wire
from shared.domain.app import App
from shared.domain.trigger import SHOWN_SECRET


def config(app: App) -> wire.Config:
    """The settings, but for what is secret."""
    users = app.end_users
    return wire.Config(
        id=app.public_id,
        slug=app.slug,
        name=app.name,
        allowed_origins=app.allowed_origins,
        end_users=wire.EndUsers(
            jwt_secret=SHOWN_SECRET if users.jwt_secret else None,
            jwks_url=users.jwks_url or None,
            issuer=users.issuer or None,
            audience=users.audience or None,
            user_claim=users.user_claim,
        ),
    )


def change(body: wire.PatchConfig) -> Change:
    """What is to be changed; a null takes away."""
    users = body.end_users
    if users is UNSET:
        return Change(name=body.name, allowed_origins=body.allowed_origins)
    sent = {field: "" if value is None else value for field, value in msgspec.structs.asdict(users).items()}
    return Change(name=body.name, allowed_origins=body.allowed_origins, end_users=EndUsersChange(**sent))
