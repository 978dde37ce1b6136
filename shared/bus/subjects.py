"""Every subject on the bus, as functions. Tokens must be free of `.`, `*`, `>` and white space: slugs and ids are."""


def invoke(tenant: str, function: str) -> str:
    """A command: run this function. Stored in INVOKE."""
    return f"invoke.{tenant}.{function}"


ALL = "all"
"""The lane of all functions of a tenant's that have none of their own."""
CALLED = "called"
"""The lane of such functions where another call waits for them: they must not stand behind those that wait like it."""


def work(pool: str, tenant: str, lane: str = ALL) -> str:
    """A dispatched invocation, waiting for an executor of the pool in a lane of its tenant's. Stored in WORK."""
    return f"work.{pool}.{tenant}.{lane}"


WORK = "work.>"  # all of them


def queued(pool: str) -> str:
    """A lane of the pool has something that it may not have had before: its subject. Not stored."""
    return f"queued.{pool}"


def later(pool: str, tenant: str, task_id: str, attempt: int) -> str:
    """A dispatched invocation that is due at a later moment; then it is work of the pool. Stored in WORK."""
    return f"later.{pool}.{tenant}.{task_id}.{attempt}"


def event(tenant: str, function: str, what: str) -> str:
    """Something that happened to an invocation: `started`, `cut`, `retrying`, `finished`. Stored in EVENTS."""
    return f"events.{tenant}.{function}.{what}"


def start(tenant: str, task_id: str) -> str:
    """The last run of an invocation that was written down before it began. Stored in STARTS."""
    return f"starts.{tenant}.{task_id}"


def dead(tenant: str, function: str) -> str:
    """What could not be handled, with the reason. Stored in DEAD."""
    return f"dead.{tenant}.{function}"


def plan(tenant: str, function_id: int) -> str:
    """The next tick of a function's schedule, held back until it is due. Stored in SCHEDULES."""
    return f"sched.cron.{tenant}.{function_id}"


def due(tenant: str, function_id: int) -> str:
    """A tick that has come due, waiting for a scheduler. Stored in SCHEDULES."""
    return f"sched.due.{tenant}.{function_id}"


PLANS = "sched.cron.*.*"  # all of them


def plan_key(subject: str) -> tuple[str, int]:
    """Whose plan it is: the tenant and the function's id."""
    _, _, tenant, function_id = subject.split(".")
    return tenant, int(function_id)


def reply(instance: str, task_id: str) -> str:
    """Where one API instance waits for one outcome. Not stored."""
    return f"reply.{instance}.{task_id}"


def parts(instance: str, task_id: str) -> str:
    """Request to the API instance that waits for this outcome: take a part of its answer. Not stored."""
    return f"parts.{instance}.{task_id}"


def app(tenant: str, slug: str) -> str:
    """An app changed: drop what is cached of it. Not stored."""
    return f"apps.{tenant}.{slug}"


def changed(tenant: str, function: str) -> str:
    """A function's settings or code changed: drop what is cached of it. Not stored."""
    return f"changed.{tenant}.{function}"


def rate(window: int, count: str) -> str:
    """A number of requests within one window of time, the `window`th since 1970. Stored in RATES."""
    return f"rates.{window}.{count}"


def identity(tenant: str) -> str:
    """A tenant, one of its users or tokens changed: drop what is cached of it. Not stored."""
    return f"identity.{tenant}"


def compile_code(pool: str) -> str:
    """Request to any executor of the pool: compile the stored source with this hash. Not stored."""
    return f"compile.{pool}"


def examine(pool: str) -> str:
    """Request to any executor of the pool: look into a plugin's stored code. Not stored."""
    return f"examine.{pool}"


def delivery(tenant: str, function_id: int, digest: str) -> str:
    """What came of one event from outside for one function; `digest` is of what makes the event that one.

    Stored in DELIVERIES.
    """
    return f"deliveries.{tenant}.{function_id}.{digest}"


def cancel(tenant: str, task_id: str) -> str:
    """An invocation that is not wanted any more. Stored in CANCELS."""
    return f"cancels.{tenant}.{task_id}"


CANCELS = "cancels.*.*"  # all of them


def cancelled_task(subject: str) -> tuple[str, str]:
    """Which one it is: the tenant and the task id."""
    _, tenant, task_id = subject.split(".")
    return tenant, task_id


def held_back(tenant: str, task_id: str) -> str:
    """All that is to come of an invocation at a later moment, in whichever pool: `later`."""
    return f"later.*.{tenant}.{task_id}.*"


def key(tenant: str, function_id: int, digest: str) -> str:
    """An idempotency key of a function's; `digest` is of the key and of who uses it. Stored in KEYS."""
    return f"keys.{tenant}.{function_id}.{digest}"


def lease(what: str, name: str) -> str:
    """Who has this thing of which only one process may have each. Stored in LEASES."""
    return f"leases.{what}.{name}"


LEASES = "leases.*.*"  # all of them


def channel(tenant: str, app: int, name: str) -> str:
    """What is pushed to those who listen on a channel of an app. Not stored."""
    return f"channels.{tenant}.{app}.{name.encode().hex()}"


def source(tenant: str, source_id: int) -> str:
    """An event source was made, changed or deleted. Not stored."""
    return f"sources.{tenant}.{source_id}"


SOURCES = "sources.*.*"  # all of them


def lines(tenant: str, function_id: int) -> str:
    """Lines of a function's calls, while they run, for those who follow it. Not stored."""
    return f"logs.{tenant}.{function_id}"


def followed(tenant: str, function_id: int) -> str:
    """Somebody follows the lines of a function: said again for as long as it is so. Not stored."""
    return f"followed.{tenant}.{function_id}"


FOLLOWED = "followed.*.*"  # all of them


def followed_function(subject: str) -> tuple[str, int]:
    """Which one it is: the tenant and the function's id."""
    _, tenant, function_id = subject.split(".")
    return tenant, int(function_id)


FOLLOWERS = "followers"  # an executor has come, and asks who is followed; not stored


RECORDED = "recorded"  # the recorder wrote a batch; not stored
