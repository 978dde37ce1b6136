"""Functions."""

from typing import Any

from services.api.core.plugin_sync import Entry, Synced
from services.api.core.plugins import Draft, Owned, Shown
from services.api.dialects.webui.translate.stamps import epoch
from services.api.dialects.webui.wire import functions as wire
from shared.domain.function import Function
from shared.domain.plugin import Plugin
from shared.domain.user import Account


def draft(body: wire.Form) -> Draft:
    """The function that a body describes."""
    return Draft(key=body.id, name=body.name, content=body.content, meta=body.meta)


def entry(body: wire.Entry) -> Entry:
    """A function as a sync wants it."""
    return Entry(
        key=body.id,
        name=body.name,
        content=body.content,
        meta=body.meta,
        valves=body.valves,
        is_active=body.is_active,
        is_global=body.is_global,
        created_at=body.created_at,
    )


def response(function: Function) -> wire.Response:
    """A function without its code."""
    return wire.Response(**_fields(function))


def row(owned: Owned) -> wire.Row:
    """A function with its owner."""
    return wire.Row(**_fields(owned.function), user=None if owned.owner is None else _owner(owned.owner))


def model(shown: Shown) -> wire.Model:
    """A function with its code."""
    return wire.Model(**_fields(shown.function), content=shown.content)


def with_valves(shown: Shown, valves: dict[str, Any] | None) -> wire.WithValves:
    """A function with its code and its valves, null where none are set."""
    return wire.WithValves(**_fields(shown.function), content=shown.content, valves=valves)


def synced(one: Synced) -> wire.WithValves:
    """A function as a sync has left it."""
    return with_valves(Shown(one.function, one.content), one.valves)


def plugin_of(function: Function) -> Plugin:
    """What makes it one of this dialect's."""
    assert function.plugin is not None  # no other functions are asked for
    return function.plugin


def _fields(function: Function) -> dict[str, Any]:
    plugin = plugin_of(function)
    return {
        "id": plugin.key,
        "user_id": str(plugin.user_id),
        "name": function.name,
        "type": plugin.kind,
        "meta": plugin.meta,
        "is_active": function.is_active,
        "is_global": plugin.is_global,
        "version_id": None if function.active is None else str(function.active.id),
        "updated_at": epoch(function.updated_at),
        "created_at": epoch(function.created_at),
    }


def _owner(account: Account) -> wire.Owner:
    name = account.full_name or account.username
    return wire.Owner(id=str(account.id), name=name, role=account.role, email=account.email)
