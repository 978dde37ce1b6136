"""The decision, and nothing else: a command and what is known of its function in, one decision out. Pure."""

import msgspec

from shared.bus.messages import Dispatch, Invoke
from shared.domain.function import DEFAULT_MEMORY_MB, Function
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome, failure


class Send(msgspec.Struct, frozen=True):
    """Put it into the pool's queue."""

    pool: str
    dispatch: Dispatch


class Refuse(msgspec.Struct, frozen=True):
    """It will not run; this is its end."""

    outcome: Outcome


Decision = Send | Refuse


def decide(
    command: Invoke, *, id: int, function: Function | None, routed_at: float, repeated: bool = False
) -> Decision:
    """What becomes of a command. `id` is its sequence in the command stream; `repeated`, that it came before."""
    if function is None or function.id != command.function_id or not function.is_active:
        reason = f"Function with slug '{command.function}' not found or not active"
        return Refuse(failure("FunctionNotFound", reason))
    if function.execution_mode == "app" and function.active is None:
        return Refuse(failure("NoActiveCode", f"Function '{function.slug}' has no active code version"))
    return Send(
        function.pool,
        Dispatch(
            id=id,
            task_id=command.task_id,
            tenant=command.tenant,
            function=function.slug,
            function_id=function.id,
            function_name=function.name,
            category=function.category,
            version=function.active.version if function.active else "",
            code_hash=function.active.code_hash if function.active else "",
            timeout_s=function.timeout_s,
            memory_mb=DEFAULT_MEMORY_MB,
            params=command.params,
            trigger_type=command.trigger_type,
            user=command.user,
            timeline=Timeline(accepted=command.accepted_at, routed=routed_at),
            reply_to=command.reply_to,
            repeated=repeated,
        ),
    )
