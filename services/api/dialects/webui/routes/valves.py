"""Valves of functions and those of their users. `services/api/routes.py` has the paths."""

from typing import Any

import msgspec

from services.api.dialects.webui.routes.asked import By, To
from services.api.dialects.webui.translate import refusals
from services.api.dialects.webui.translate.refusals import told

Values = dict[str, Any]


async def show_valves(*, core: To, caller: By, id: str) -> Values:
    """The valves that are set."""
    return await core.valves.of(caller, id)


async def show_valves_spec(*, core: To, caller: By, id: str) -> msgspec.Raw:
    """The JSON schema of the valves, or null."""
    return await core.valves.spec(caller, id)


async def replace_valves(*, core: To, caller: By, id: str, data: Values) -> Values:
    """Other valves in place of those that were set."""
    with told(refusals.of_valves):
        return await core.valves.replace(caller, id, data)


async def show_user_valves(*, core: To, caller: By, id: str) -> Values:
    """The valves that the caller has set for himself."""
    return await core.valves.of_user(caller, id)


async def show_user_valves_spec(*, core: To, caller: By, id: str) -> msgspec.Raw:
    """The JSON schema of the valves that users set for themselves, or null."""
    return await core.valves.spec_for_user(caller, id)


async def replace_user_valves(*, core: To, caller: By, id: str, data: Values) -> Values:
    """Other valves of the caller's own in place of those that he had set."""
    with told(refusals.of_valves):
        return await core.valves.replace_for_user(caller, id, data)
