"""The structs on the wire that are of one invocation; the others are in `notices.py`.

JSON with a `type` tag that carries the version. Never a secret, never code.
"""

import msgspec

from shared.domain.caller import User
from shared.domain.invocation import Timeline, TriggerType
from shared.domain.limits import Limits
from shared.domain.outcome import Outcome
from shared.domain.request import Actor, Request, Response
from shared.domain.retry import ErrorClass, Retries


class Invoke(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="invoke.v1", omit_defaults=True):
    """A command: run `function` (its slug) with `params` (JSON object text).

    `revision` is the newest revision of the function its sender has seen: whoever decides must know at least that one.
    `reply_to` is the subject the waiting caller listens on, empty when nobody waits.
    `parent_task_id` is the invocation that made this one, empty when none did.
    `app_slug` is the function's app, empty for a system function. `request` is what a handler is asked, `actor` who
    asks it; None where it was no request. `depth` counts the functions that called each other down to this one.
    With a `refusal` it is only to be recorded, as one that did not run for this reason.
    It is not to be started after `expires_at`, Unix seconds, 0 for no such moment. How it ended is posted to
    `callback_url`, where there is one. `redrive_of` is the task whose dead letter it was made of, empty for none.
    `mode` is the pool of its function as its sender knew it.
    The `id` of an invocation is its command's sequence. One that was lost is put in anew, under another message id:
    then `id` is the one that it has, and `attempt` the one to begin with.
    """

    task_id: str
    tenant: str
    function: str
    function_id: int
    function_name: str
    revision: int
    params: msgspec.Raw
    trigger_type: TriggerType
    user: User | None
    accepted_at: float
    id: int = 0
    attempt: int = 1
    reply_to: str = ""
    parent_task_id: str = ""
    app_slug: str = ""
    request: Request | None = None
    actor: Actor | None = None
    depth: int = 0
    refusal: str = ""
    expires_at: float = 0.0
    callback_url: str = ""
    redrive_of: str = ""
    mode: str = ""

    @property
    def is_again(self) -> bool:
        """Whether it was put in anew."""
        return self.id > 0


class Dispatch(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="dispatch.v1", omit_defaults=True):
    """An invocation that an executor pool is to run now. `id` is the command's sequence in INVOKE.

    `revision` is that of the function when it was decided.
    `repeated` says that its command had been handed out before, or that this is a later attempt: there may be another
    dispatch of the same task. `attempt` counts from 1; `retries` says when another one follows, after a pause of up to
    `retry_first_s` that doubles up to `retry_most_s` (0: the executor's own). `put_aside_at` is when this attempt first
    found no room, Unix seconds; 0 where there was some. One that may run `at_most_once` is not run again where nobody
    knows whether it was. `expires_at`, `callback_url` and `redrive_of` are the command's. It waits in
    this `lane` of its tenant's, however often it is put off. Without `dead_letter` its function wants none kept.
    """

    id: int
    task_id: str
    tenant: str
    function: str
    function_id: int
    function_name: str
    category: str
    revision: int
    version: str
    code_hash: str
    limits: Limits
    params: msgspec.Raw
    trigger_type: TriggerType
    user: User | None
    timeline: Timeline
    reply_to: str = ""
    repeated: bool = False
    attempt: int = 1
    retries: Retries = Retries()
    retry_first_s: float = 0.0
    retry_most_s: float = 0.0
    put_aside_at: float = 0.0
    request: Request | None = None
    actor: Actor | None = None
    depth: int = 0
    at_most_once: bool = False
    parent_task_id: str = ""
    expires_at: float = 0.0
    callback_url: str = ""
    redrive_of: str = ""
    lane: str = "all"
    dead_letter: bool = True


class Queued(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="queued.v1"):
    """There is work in the lane with this subject."""

    lane: str


class Started(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="started.v1"):
    """An invocation has been running for longer than the executor's notice time. `delivery` is that of `Finished`."""

    id: int
    task_id: str
    tenant: str
    function: str
    function_id: int
    function_name: str
    trigger_type: TriggerType
    user: User | None
    timeline: Timeline
    attempt: int = 1
    executor: str = ""
    delivery: int = 1


class Cut(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="cut.v1"):
    """A run of an attempt began at `timeline.started`, and was never heard of again: the attempt is made once more.

    `executor` is the one that had it, `timeline.done` when that was found out.
    """

    id: int
    task_id: str
    tenant: str
    function: str
    function_id: int
    function_name: str
    trigger_type: TriggerType
    user: User | None
    timeline: Timeline
    attempt: int
    executor: str


class Retrying(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="retrying.v1"):
    """An attempt failed, and the next one is due at `due_at`, Unix seconds. `error` is `Type: sentence`.

    `error_class` says for which of the function's numbers of retries it counts.
    """

    id: int
    task_id: str
    tenant: str
    function: str
    function_id: int
    function_name: str
    trigger_type: TriggerType
    user: User | None
    timeline: Timeline
    attempt: int
    due_at: float
    error: str
    error_class: ErrorClass = "error"


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="finished.v1", omit_defaults=True):
    """An invocation ended. `delivery` counts how often its work was handed out: above 1, a run may have been cut.

    `attempt` is the one that was the last. Of a request, `method` and `path` are what was asked. It is to be told to
    `callback_url`, where there is one. `mode` is the pool that it was for, empty where that is not known.
    """

    id: int
    task_id: str
    tenant: str
    function: str
    function_id: int
    function_name: str
    version: str
    trigger_type: TriggerType
    user: User | None
    timeline: Timeline
    delivery: int
    executor: str
    outcome: Outcome
    attempt: int = 1
    method: str = ""
    path: str = ""
    callback_url: str = ""
    mode: str = ""


Event = Started | Cut | Retrying | Finished


class Part(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="part.v1"):
    """A part of an answer that is sent while it is made. The first, `number` 0, has the `head`: status and headers.

    `run` says which run of the call it is of: where it had to be run again, the parts of two runs must not be mixed.
    """

    task_id: str
    number: int
    run: str = ""
    head: Response | None = None
    data: bytes = b""


class Taken(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="taken.v1"):
    """A part was handed on; or, without `wanted`, nobody is there for it, nor for another one."""

    wanted: bool = True


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="answer.v1"):
    """What the waiting caller gets. Of one that is `settled` the end is on disk; of another it is on its way there."""

    task_id: str
    outcome: Outcome
    settled: bool = False


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="begun.v1"):
    """A run begins, at `at`, Unix seconds, of the work that has this `sequence` in WORK.

    `runs` counts those of this attempt that began, were written down and did not end, with this one. Where it is not
    `open` any more, it was handed back before anything of it had begun.
    """

    task_id: str
    executor: str
    sequence: int
    attempt: int
    runs: int
    at: float
    open: bool = True


class Recorded(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="recorded.v1"):
    """A batch is in the store."""

    count: int
