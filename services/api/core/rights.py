"""Who may do what: the role allows, the scopes of a token narrow. Nowhere else is it decided.

Everybody reads and calls, developers and administrators change functions, administrators keep users, tokens, apps and
plugins.
"""

from shared.domain.caller import Caller, Scope
from shared.domain.function import Function
from shared.domain.problem import Problem
from shared.domain.user import OPERATOR_ID, OPERATOR_TENANT


def must_read(caller: Caller) -> None:
    """Raises Problem(forbidden) for a caller who may not see functions and what became of their calls."""
    _must_reach(caller, "functions:read")


def must_read_result(caller: Caller) -> None:
    """Raises Problem(forbidden) for a caller who may neither read nor call: who calls may ask what became of it."""
    if "functions:execute" not in caller.scopes:
        must_read(caller)


def must_execute(caller: Caller) -> None:
    """Raises Problem(forbidden) for a caller who may not call functions."""
    _must_reach(caller, "functions:execute")


def must_cancel_some(caller: Caller) -> None:
    """Raises Problem(forbidden) for a caller who may cancel nothing, whatever it is."""
    if "functions:execute" not in caller.scopes:
        must_develop(caller)


def must_cancel(caller: Caller, user_id: int | None) -> None:
    """Raises Problem(forbidden) for a caller who may not cancel what was started for this user, None for nobody.

    Who calls may cancel what he has started himself, who may change functions whatever runs.
    """
    if user_id != caller.user.id or "functions:execute" not in caller.scopes:
        must_develop(caller)


def must_develop(caller: Caller) -> None:
    """Raises Problem(forbidden) for a caller who may not create, change, upload or delete."""
    if caller.role == "user":
        raise Problem("forbidden", "Your role may read and execute functions, but not change them")
    _must_reach(caller, "functions:write")


def may_develop(caller: Caller) -> bool:
    """Whether `must_develop` lets the caller pass."""
    try:
        must_develop(caller)
    except Problem:
        return False
    return True


def must_administer(caller: Caller) -> None:
    """Raises Problem(forbidden) for a caller who may not keep the tenant's users, tokens and apps."""
    _must_be_admin(caller)
    _must_reach(caller, "admin")


def is_operator(caller: Caller) -> bool:
    """Whether it is the operator's own user who asks, whom the whole platform concerns."""
    return (caller.tenant, caller.user.id) == (OPERATOR_TENANT, OPERATOR_ID)


def must_read_plugins(caller: Caller) -> None:
    """Raises Problem(forbidden) for a caller who may not see the code and the valves of plugins."""
    _must_be_admin(caller)
    _must_reach(caller, "functions:read")


def may_see_code(caller: Caller, function: Function) -> bool:
    """Whether a caller who may see a function sees its code with it: that of a plugin is for administrators."""
    return function.plugin is None or caller.role == "admin"


def must_keep_plugins(caller: Caller) -> None:
    """Raises Problem(forbidden) for a caller who may not make, change or remove plugins, and set their valves."""
    _must_be_admin(caller)
    _must_reach(caller, "functions:write")


def must_keep_account(caller: Caller) -> None:
    """Raises Problem(forbidden) for a token that is not meant to change its user's own account and tokens."""
    _must_reach(caller, "admin")


def _must_be_admin(caller: Caller) -> None:
    if caller.role != "admin":
        raise Problem("forbidden", "Only an administrator may do this")


def _must_reach(caller: Caller, scope: Scope) -> None:
    if scope not in caller.scopes:
        raise Problem("forbidden", f"This token does not have the scope {scope}")
