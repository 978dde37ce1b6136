"""Where goes what cannot be handled, or has failed for good: into DEAD, with the reason and its bytes as they came."""

import time
from contextlib import suppress

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.js.errors import APIError

from shared.bus import streams, subjects
from shared.bus.broker import Bus, encode
from shared.bus.delivery import Stored
from shared.bus.messages import Dispatch, Invoke
from shared.bus.place import Place
from shared.domain.dead_letter import is_dead, keeps_letters
from shared.domain.function import Function
from shared.domain.invocation import End, TriggerType
from shared.domain.outcome import Outcome, failure
from shared.domain.problem import Problem
from shared.domain.retry import ErrorClass, class_of

Command = Invoke | Dispatch
_COMMAND = msgspec.json.Decoder(Command)


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="dead.v1"):
    """What could not be handled, or failed for good with nobody there to see it; kept at the moment `at`.

    `stream` and `sequence` say where it was, `subject` under which one where that is known, `data` are its bytes: empty
    where they were too many. Of an invocation the rest says how it ended; without a `task_id` it is none, or was kept
    by a Shoal that did not say. `reason` is then `Type: sentence`, and `attempts` 0 where it was never handed out.
    """

    stream: str
    sequence: int
    subject: str
    reason: str
    at: float
    data: bytes
    tenant: str = ""
    task_id: str = ""
    function: str = ""
    function_id: int = 0
    function_name: str = ""
    trigger_type: TriggerType | None = None
    status: End = "FAILURE"
    error_type: str = ""
    error_class: ErrorClass | None = None
    attempts: int = 0
    accepted_at: float = 0.0


def letter_id(task_id: str) -> str:
    """The message id under which the letter of a task is stored, so that there is one however often it is told."""
    return f"{task_id}.dead"


def command_of(data: bytes) -> Command | None:
    """The invocation that a letter's bytes are of; None for what is none, or cannot be read."""
    try:
        command: Command = _COMMAND.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return command


async def bury(bus: Bus, message: Msg, *, stream: str, reason: str) -> None:
    """Put a message into DEAD that cannot be handled. Raises Problem(unavailable)."""
    place = Place.of(message)
    tokens = message.subject.split(".")
    # work.<pool>.<tenant>.<lane> names no function; sched.due.<tenant>.<function id> does behind its second token,
    # invoke and events behind their first.
    if stream == streams.WORK:
        tenant, function = tokens[2], "unknown"
    else:
        tenant, function = tokens[-2:] if stream == streams.SCHEDULES else tokens[1:3]
    letter = DeadLetter(
        stream=stream,
        sequence=place.sequence,
        subject=message.subject,
        reason=reason,
        at=time.time(),
        data=message.data,
    )
    await _keep(bus, subjects.dead(tenant, function), letter, id=f"{stream}.{place.sequence}")
    bus.watch.buried(stream, place.sequence, reason)


async def bury_dropped(bus: Bus, message: Msg, *, stream: str, reason: str) -> None:
    """`bury` what was to be run, or to be routed: one that can be read is an invocation that died of this reason.

    Where its end was told before, its letter is there already. Raises Problem(unavailable).
    """
    command = command_of(message.data)
    if command is None:
        return await bury(bus, message, stream=stream, reason=reason)
    place = Place.of(message)
    letter = _letter(command, failure("Undeliverable", reason), place.sequence)
    letter = msgspec.structs.replace(letter, subject=message.subject, data=message.data)
    await keep(bus, letter)
    bus.watch.trouble("given up", stream=stream, task_id=command.task_id, reason=reason)
    return None


def may_leave_letter(command: Command) -> bool:
    """Whether it leaves a letter should it fail now, as far as it says itself.

    Who waits is told; but what was tried several times was meant to be done, whoever asked. What is only to be recorded
    as refused was never meant to run.
    """
    if isinstance(command, Dispatch):
        return command.dead_letter and (not command.reply_to or command.attempt > 1)
    return not (command.refusal or command.reply_to)


def letter_of(
    command: Command, outcome: Outcome, *, sequence: int, function: Function | None = None
) -> DeadLetter | None:
    """The letter that this end of an invocation leaves; None for one that leaves none.

    `sequence` is where its message was. A command that was never dispatched says nothing of what its `function` wants:
    the function does, where there is one.
    """
    if not is_dead(outcome.status) or not may_leave_letter(command):
        return None
    if function is not None and not keeps_letters(function.config):
        return None
    return _letter(command, outcome, sequence)


def _letter(command: Command, outcome: Outcome, sequence: int) -> DeadLetter:
    if isinstance(command, Dispatch):
        stream, subject, accepted_at = streams.WORK, "", command.timeline.accepted
        attempts = command.attempt - (outcome.status == "EXPIRED")  # then this one was not begun
    else:
        stream, subject = streams.INVOKE, subjects.invoke(command.tenant, command.function)
        attempts, accepted_at = 0, command.accepted_at
    return DeadLetter(
        stream=stream,
        sequence=sequence,
        subject=subject,
        reason=outcome.message,
        at=time.time(),
        data=encode(command),
        tenant=command.tenant,
        task_id=command.task_id,
        function=command.function,
        function_id=command.function_id,
        function_name=command.function_name,
        trigger_type=command.trigger_type,
        status=outcome.status,
        error_type=outcome.error_type,
        error_class=class_of(outcome.error_type),
        attempts=attempts,
        accepted_at=accepted_at,
    )


async def keep(bus: Bus, letter: DeadLetter) -> int:
    """Store the letter of an invocation, unless it is there already; its number. Raises Problem(unavailable)."""
    stored = await _keep(bus, subjects.dead(letter.tenant, letter.function), letter, id=letter_id(letter.task_id))
    if not stored.duplicate:
        bus.watch.died(letter.stream, letter.error_class or "error")
    return stored.sequence


async def take_back(bus: Bus, number: int) -> None:
    """Remove a letter of an invocation that has ended well, or was cancelled, in the same moment.

    Where it cannot be removed it stays: what the record says of the end keeps it from being redriven.
    """
    with suppress(TimeoutError, nats.errors.Error, APIError, OSError):
        await bus.stream.delete_msg(streams.DEAD, number)


async def _keep(bus: Bus, subject: str, letter: DeadLetter, *, id: str) -> Stored:
    """One that is too large is kept without its bytes."""
    try:
        return await bus.store(subject, letter, id=id)
    except Problem as problem:
        if problem.code != "too_large":
            raise
        return await bus.store(subject, msgspec.structs.replace(letter, data=b""), id=id)
