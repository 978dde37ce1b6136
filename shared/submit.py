"""The one door: whatever wants a function run comes through here."""

import hashlib
import time
import uuid

import msgspec
import uuid_utils

from shared import telemetry
from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.messages import Invoke
from shared.domain.caller import User
from shared.domain.function import Function
from shared.domain.invocation import TriggerType


class Accepted(msgspec.Struct, frozen=True):
    """A command is on disk. `id` is its number."""

    task_id: str
    id: int
    accepted_at: float


def new_task_id() -> str:
    """A fresh task id: a UUIDv7, so that it says when it was made."""
    return str(uuid_utils.uuid7())


def due_task_id(tenant: str, function_id: int, due: int) -> str:
    """The task id of the run that is due at that moment (Unix seconds): the same for whoever submits it, and again.

    It has the form of a UUIDv7, so that it says when the run was due.
    """
    tail = int.from_bytes(hashlib.sha256(f"{tenant}/{function_id}/{due}".encode()).digest()[:10])
    version, variant = 7 << 76, 2 << 62
    rest = (tail & ((1 << 80) - 1)) & ~(0xF << 76) & ~(3 << 62)
    return str(uuid.UUID(int=(due * 1000) << 80 | rest | version | variant))


async def submit(
    bus: Bus,
    function: Function,
    *,
    task_id: str,
    params: msgspec.Raw,
    trigger_type: TriggerType,
    user: User | None,
    reply_to: str = "",
) -> Accepted:
    """Publish the command; returns when JetStream has it. Raises Problem(unavailable, too_large).

    The task id is the message id: the same id again is accepted, and changes nothing.
    """
    command = Invoke(
        task_id=task_id,
        tenant=function.tenant,
        function=function.slug,
        function_id=function.id,
        function_name=function.name,
        revision=function.revision,
        params=params,
        trigger_type=trigger_type,
        user=user,
        accepted_at=time.time(),
        reply_to=reply_to,
    )
    stored = await bus.store(subjects.invoke(function.tenant, function.slug), command, id=task_id)
    telemetry.ACCEPTED.labels(trigger_type).inc()
    return Accepted(task_id=task_id, id=stored.sequence, accepted_at=command.accepted_at)
