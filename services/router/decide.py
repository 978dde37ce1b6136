"""The decision, and nothing else: a command and what is known of its function in, one decision out. Pure."""

import msgspec

from shared.bus import subjects
from shared.bus.messages import Dispatch, Invoke
from shared.domain.concurrency import has_own_lane
from shared.domain.dead_letter import keeps_letters
from shared.domain.function import Function
from shared.domain.invocation import Timeline
from shared.domain.limits import Bounds, limits_of
from shared.domain.outcome import Outcome, expired, failure
from shared.domain.retry import backoff_of, retries_of, runs_at_most_once
from shared.domain.tenant import Tenant


class Send(msgspec.Struct, frozen=True):
    """Put it into the pool's queue."""

    pool: str
    dispatch: Dispatch


class Refuse(msgspec.Struct, frozen=True):
    """It will not run; this is its end."""

    outcome: Outcome


class Moment(msgspec.Struct, frozen=True):
    """When the decision is made, Unix seconds, and whether the command had been handed out before."""

    routed_at: float
    repeated: bool = False


Decision = Send | Refuse


def decide(
    command: Invoke, *, id: int, function: Function | None, tenant: Tenant, bounds: Bounds, moment: Moment
) -> Decision:
    """What becomes of a command. `id` is its sequence in the command stream."""
    if not tenant.is_active:  # it was when the command was accepted
        return Refuse(failure("TenantNotActive", f"The tenant {tenant.slug} is not active"))
    if command.refusal:
        return Refuse(failure("TriggerLoop", command.refusal))
    if command.expires_at and not moment.repeated and moment.routed_at >= command.expires_at:
        return Refuse(expired(command.expires_at - command.accepted_at))
    if function is None or function.id != command.function_id or not function.is_active:
        reason = f"Function with slug '{command.function}' not found or not active"
        return Refuse(failure("FunctionNotFound", reason))
    if function.execution_mode == "app" and function.active is None:
        return Refuse(failure("NoActiveCode", f"Function '{function.slug}' has no active code version"))
    limits = limits_of(function.config, bounds, tenant=tenant.limits)
    asked = len(command.request.body) if command.request else len(bytes(command.params))
    if asked > limits.params_bytes:
        what = "the body" if command.request else "params"
        return Refuse(failure("ParamsTooLarge", f"{what} has more than {limits.params_bytes} bytes"))
    first_s, most_s = backoff_of(function.config)
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
            revision=function.revision,
            version=function.active.version if function.active else "",
            code_hash=function.active.code_hash if function.active else "",
            limits=limits,
            params=command.params,
            trigger_type=command.trigger_type,
            user=command.user,
            timeline=Timeline(accepted=command.accepted_at, routed=moment.routed_at),
            reply_to=command.reply_to,
            repeated=moment.repeated,
            attempt=command.attempt,
            retries=retries_of(function.config),
            retry_first_s=first_s,
            retry_most_s=most_s,
            at_most_once=runs_at_most_once(function.config),
            request=command.request,
            actor=command.actor,
            depth=command.depth,
            parent_task_id=command.parent_task_id,
            expires_at=command.expires_at,
            callback_url=command.callback_url,
            redrive_of=command.redrive_of,
            lane=_lane(function, command),
            dead_letter=keeps_letters(function.config),
        ),
    )


def _lane(function: Function, command: Invoke) -> str:
    """In which of its tenant's lanes it waits: functions with limits of their own have one each."""
    if has_own_lane(function.config):
        return str(function.id)
    waited_for = command.parent_task_id and command.reply_to  # nobody waits for callbacks, and for what was redriven
    return subjects.CALLED if waited_for else subjects.ALL
