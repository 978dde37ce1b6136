"""The one door: whatever wants a function run comes through here."""

import hashlib
import time
import uuid
from typing import get_args

import msgspec
import uuid_utils

from shared import telemetry, tracing
from shared.bus import streams, subjects
from shared.bus.broker import Admission, Bus
from shared.bus.messages import Invoke
from shared.domain.callback import callback_url_of, expires_in_of
from shared.domain.caller import User
from shared.domain.function import Function
from shared.domain.invocation import TriggerType
from shared.domain.request import Actor, Request
from shared.tracing.facts import sent

_ACCEPTED = {trigger: telemetry.ACCEPTED.labels(trigger) for trigger in get_args(TriggerType)}
_REFUSABLE: frozenset[TriggerType] = frozenset({"api", "http", "webhook", "websocket"})


class Accepted(msgspec.Struct, frozen=True):
    """A command is on disk. `id` is its number; `repeated` says that it was there before."""

    task_id: str
    id: int
    accepted_at: float
    repeated: bool = False


def new_task_id() -> str:
    """A fresh task id: a UUIDv7, so that it says when it was made."""
    return str(uuid_utils.uuid7())


def due_task_id(tenant: str, function_id: int, due: int) -> str:
    """The task id of the run that is due at that moment (Unix seconds): the same for whoever submits it, and again."""
    return _derived_id(f"{tenant}/{function_id}/{due}", made_ms=due * 1000)


def step_task_id(parent_task_id: str, step: int | str) -> str:
    """The task id of a step of another invocation: from that one's time, and the same whenever it is submitted."""
    return _derived_id(f"{parent_task_id}/{step}", made_ms=uuid.UUID(parent_task_id).int >> 80)


def event_task_id(subject: str, *, attempt: int, at: float) -> str:
    """The task id of a run that an event from outside sets off: `subject` names event and function, `at` is when."""
    return _derived_id(f"{subject}/{attempt}", made_ms=int(at * 1000))


def redrive_task_id(task_id: str) -> str:
    """The task id of the run that takes the place of one that died: the same whenever, and by whomever, it is asked.

    It says the time of that one: for a run of a schedule that is when it was due.
    """
    return _derived_id(f"{task_id}/redrive", made_ms=uuid.UUID(task_id).int >> 80)


def _derived_id(of: str, *, made_ms: int) -> str:
    """The form of a UUIDv7, so that it says when the run was due."""
    tail = int.from_bytes(hashlib.sha256(of.encode()).digest()[:10])
    version, variant = 7 << 76, 2 << 62
    return str(uuid.UUID(int=made_ms << 80 | tail & ~(0xF << 76) & ~(3 << 62) | version | variant))


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a call comes from: what set it off, for whom, who waits for it, and which call made it.

    A `request` comes with its secret headers sealed. With a `refusal` the call is recorded, and does not run.
    The three before the last one are those of `messages.Invoke`; the first two of these are the function's own where
    they are empty. Instead of `expires_at` it may be said in how many seconds from its acceptance that is.
    """

    trigger_type: TriggerType
    user: User | None = None
    reply_to: str = ""
    parent_task_id: str = ""
    request: Request | None = None
    actor: Actor | None = None
    depth: int = 0
    refusal: str = ""
    expires_at: float = 0.0
    callback_url: str = ""
    redrive_of: str = ""
    expires_in_s: float = 0.0


def admitted(bus: Bus, function: Function, origin: Origin) -> Admission | None:
    """Who is to be told when it is accepted; Problem(rate_limited) where too much is queued already."""
    admission = bus.admission if origin.trigger_type in _REFUSABLE else None
    if admission is not None:
        admission.check(function)
    return admission


async def submit(bus: Bus, function: Function, *, task_id: str, params: msgspec.Raw, origin: Origin) -> Accepted:
    """Publish the command; returns when JetStream has it. Raises Problem(unavailable, too_large, rate_limited).

    The task id is the message id: the same id again is accepted, and changes nothing. Where somebody waits to be told,
    a call may be refused for what is queued already; what comes by the clock or from a bucket is always taken.
    """
    admission = admitted(bus, function, origin)
    accepted_at = time.time()
    command = Invoke(
        task_id=task_id,
        tenant=function.tenant,
        function=function.slug,
        function_id=function.id,
        function_name=function.name,
        revision=function.revision,
        params=params,
        accepted_at=accepted_at,
        app_slug=function.app_slug,
        trigger_type=origin.trigger_type,
        user=origin.user,
        reply_to=origin.reply_to,
        parent_task_id=origin.parent_task_id,
        request=origin.request,
        actor=origin.actor,
        depth=origin.depth,
        refusal=origin.refusal,
        expires_at=origin.expires_at or _expires_at(function, accepted_at, origin.expires_in_s),
        callback_url=origin.callback_url or callback_url_of(function.config),
        redrive_of=origin.redrive_of,
        mode=function.pool,
    )
    with tracing.submitting("send INVOKE", accepted_at, facts=sent(command, streams.INVOKE) if tracing.on else None):
        stored = await bus.store(subjects.invoke(function.tenant, function.slug), command, id=task_id)
    if not stored.duplicate:
        if admission is not None:
            admission.accepted(function, stored.sequence)
        _ACCEPTED[origin.trigger_type].inc()
    return Accepted(task_id=task_id, id=stored.sequence, accepted_at=command.accepted_at, repeated=stored.duplicate)


def _expires_at(function: Function, accepted_at: float, expires_in_s: float) -> float:
    """When it is too late to start what was accepted then, as was asked or the function's config says; 0 for never."""
    expires_in_s = expires_in_s or expires_in_of(function.config)
    return accepted_at + expires_in_s if expires_in_s else 0.0
