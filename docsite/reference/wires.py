"""Who says what on which subject of the bus. The subjects, the messages and the streams are those of `shared.bus`."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from shared.bus import lines, messages, notices, streams, subjects
from shared.bus.graveyard import DeadLetter

_EVERY = ("api", "router", "executor", "recorder", "scheduler", "triggers")


class Wire(NamedTuple):
    """A subject with its messages, none where the message is a bare number or nothing.

    `answers` are what a request on it is answered with. `stream` is where it is stored, empty where it is not.
    """

    name: str
    subject: Callable[..., str] | str
    messages: tuple[type, ...]
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    stream: str = ""
    answers: tuple[type, ...] = ()

    @property
    def about(self) -> str:
        """What the code says of it."""
        said = inspect.getdoc(self.subject) if callable(self.subject) else _CONSTANTS[self.subject]
        return " ".join((said or "").split())

    @property
    def address(self) -> str:
        """The subject, with the names of its parts in braces."""
        if isinstance(self.subject, str):
            return self.subject
        parts: dict[str, Any] = {part: f"{{{part}}}" for part in self.parts}
        made = self.subject(**parts)
        for part in self.parts:  # a channel's name travels in hexadecimal digits
            made = made.replace(f"{{{part}}}".encode().hex(), f"{{{part}}}")
        return made

    @property
    def parts(self) -> list[str]:
        """The names of what varies in it."""
        return list(inspect.signature(self.subject).parameters) if callable(self.subject) else []


_CONSTANTS = {
    subjects.RECORDED: "The recorder wrote a batch. Not stored.",
    subjects.FOLLOWERS: "An executor has come, and asks who is followed. Not stored.",
}

WIRES = [
    Wire("invoke", subjects.invoke, (messages.Invoke,), ("api", "scheduler", "triggers", "executor", "recorder"),
         ("router", "recorder"), streams.INVOKE),
    Wire("work", subjects.work, (messages.Dispatch,), ("router", "executor"), ("executor",), streams.WORK),
    Wire("later", subjects.later, (messages.Dispatch,), ("router", "executor"), (), streams.WORK),
    Wire("queued", subjects.queued, (messages.Queued,), ("router", "executor"), ("executor",)),
    Wire("event", subjects.event, (messages.Started, messages.Cut, messages.Retrying, messages.Finished),
         ("executor", "router", "api", "scheduler"), ("recorder", "api"), streams.EVENTS),
    Wire("start", subjects.start, (messages.Begun,), ("executor",), ("executor", "scheduler"), streams.STARTS),
    Wire("dead", subjects.dead, (DeadLetter,), ("router", "executor", "scheduler"), ("api",), streams.DEAD),
    Wire("plan", subjects.plan, (notices.Tick,), ("scheduler",), (), streams.SCHEDULES),
    Wire("due", subjects.due, (notices.Tick,), (), ("scheduler",), streams.SCHEDULES),
    Wire("reply", subjects.reply, (messages.Answer,), ("executor", "router", "api", "scheduler"),
         ("api", "triggers", "executor")),
    Wire("parts", subjects.parts, (messages.Part,), ("executor",), ("api", "triggers"), "", (messages.Taken,)),
    Wire("recorded", subjects.RECORDED, (messages.Recorded,), ("recorder",), ("api",)),
    Wire("app", subjects.app, (notices.AppChanged,), ("api",), ("api", "triggers")),
    Wire("changed", subjects.changed, (notices.FunctionChanged,), ("api",), _EVERY),
    Wire("identity", subjects.identity, (notices.IdentityChanged,), ("api",),
         ("api", "router", "executor", "triggers")),
    Wire("source", subjects.source, (notices.SourceChanged,), ("api",), ("triggers",)),
    Wire("compile", subjects.compile_code, (notices.Compile,), ("api",), ("executor",), "", (notices.Compiled,)),
    Wire("examine", subjects.examine, (notices.Examine,), ("api",), ("executor",), "", (notices.Examined,)),
    Wire("delivery", subjects.delivery, (notices.Submitted,), ("triggers",), ("triggers",), streams.DELIVERIES),
    Wire("cancel", subjects.cancel, (notices.Cancelling,), ("api", "executor"),
         ("router", "executor", "api", "triggers"), streams.CANCELS),
    Wire("key", subjects.key, (notices.Keyed,), ("api", "triggers", "executor"), ("api", "triggers", "executor"),
         streams.KEYS),
    Wire("lease", subjects.lease, (notices.Lease,), ("triggers",), ("triggers",), streams.LEASES),
    Wire("channel", subjects.channel, (notices.Pushed,), ("triggers", "executor"), ("triggers",)),
    Wire("lines", subjects.lines, (lines.Batch,), ("executor",), ("api",)),
    Wire("followed", subjects.followed, (lines.Followed,), ("api",), ("executor",)),
    Wire("followers", subjects.FOLLOWERS, (lines.Followers,), ("executor",), ("api",)),
    Wire("rate", subjects.rate, (), ("api",), ("api",), streams.RATES),
]  # fmt: skip
