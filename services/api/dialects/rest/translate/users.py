"""Between users and their bodies. Pure."""

from typing import Any

import msgspec

from services.api.core.users import Draft
from services.api.dialects.rest.translate.stamps import stamp
from services.api.dialects.rest.wire import users as wire
from shared.domain.user import Account


def draft(body: wire.CreateUser) -> Draft:
    """The user that a body describes."""
    return Draft(**msgspec.structs.asdict(body))


def values(body: wire.PatchUser | wire.PatchMe) -> dict[str, Any]:
    """The values that a body mentions."""
    mentioned = {field: value for field, value in msgspec.structs.asdict(body).items() if value is not msgspec.UNSET}
    mentioned.pop("current_password", None)
    return mentioned


def user(account: Account) -> wire.User:
    """A user."""
    return wire.User(**_fields(account))


def me(account: Account) -> wire.Me:
    """The user who asks."""
    return wire.Me(**_fields(account), tenant=account.tenant, data=user(account))


def _fields(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "username": account.username,
        "email": account.email,
        "full_name": account.full_name,
        "role": account.role,
        "is_active": account.is_active,
        "created_at": stamp(account.created_at),
    }
