"""The contract of a mode of execution. A mode is a folder under modes/, and is named nowhere else."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from services.executor.config import Executor
from services.executor.pool.places import Places
from shared.bus.broker import Bus
from shared.bus.cancels import Cancels
from shared.config import Platform
from shared.directory import Directory
from shared.domain.function import Function
from shared.domain.invocation import TriggerType
from shared.domain.limits import Limits
from shared.domain.line import Line
from shared.domain.outcome import Outcome
from shared.domain.request import Actor, Header, Request, Response
from shared.domain.version import CompileError
from shared.secrets import Keyring
from shared.store.client import Store


class Artefact(msgspec.Struct, frozen=True):
    """What a mode made of a source: its bytes, and the name of the compiler that made them.

    An artefact whose `compiler` is not the mode's own (another Python, another policy) is made anew from the source.
    """

    compiler: str
    data: bytes


class Refusal(msgspec.Struct, frozen=True):
    """The source cannot run here; at least one reason."""

    errors: list[CompileError]


NO_CODE = Artefact("", b"")
"""What a mode is handed that runs none."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """For whom a call is made. `valves` are what he has set for this plugin: JSON text of an object."""

    id: str
    email: str = ""
    name: str = ""
    role: str = ""
    valves: bytes = b"{}"


class Examination(msgspec.Struct, frozen=True, kw_only=True):
    """Not a call, but a look into a plugin's code; the fields are those of `shared.bus.notices.Examine`, opened.

    The result is JSON. Of `code`: `kind`, `toggle`, `has_valves`, `has_user_valves`, `secret`, and `fault`, which says
    why the values do not fit. Of `spec`: the schema, or null. Of `values`: one of `values`, those to keep, `misfit`,
    why there are none, and `missing`. A failure of the type `SandboxError` is what the code has raised.
    """

    what: Literal["code", "spec", "values"]
    of: Literal["valves", "user_valves"] = "valves"
    values: bytes = b""
    person: Person | None = None


class Host(Protocol):
    """What the platform does for one call while it runs: what a handler finds in its `ctx`.

    The call is known here, so that nothing that a handler says can make it another's.
    """

    @property
    def answering(self) -> bool:
        """Whether a part of the call's answer may have been handed on: nobody could be given another answer then."""
        ...

    async def environment(self) -> dict[str, str]:
        """The function's variables, opened: those of its app, its own before them, the platform's before all.

        They are as new as `Call.function.env_revision`, and stay so for as long as that does. Raises Unavailable, and
        SecretUnreadableError, which a mode lets pass: the call has failed.
        """
        ...

    async def invoke(self, name: str, request: Request) -> Outcome:
        """Call another function of the same app, and wait for it; its slot is given to others meanwhile.

        `request` is as the handler said it, and is checked here. What cannot be called, or is called too deep, and a
        bus or a store that is away, is a failed outcome.
        """
        ...

    async def claim(self, key: str, *, scope: str, ttl_s: float) -> bool:
        """Whether this is the first claim of the key in this scope of the function; others come too late for `ttl_s`.

        Raises Problem(invalid, rate_limited, unavailable).
        """
        ...

    async def publish(self, channel: str, payload: bytes, *, event: str = "") -> None:
        """Push JSON text to all who listen on a channel of the function's app, now: nothing is stored.

        Raises Problem(invalid, too_large, rate_limited, unavailable).
        """
        ...

    async def valves(self) -> bytes:
        """The plugin's valves, opened: JSON text of an object, empty for a function that is no plugin.

        They are as new as `Call.function`. Raises SecretUnreadableError.
        """
        ...

    async def person(self) -> Person | None:
        """For whom the call is made, with what he has set for this plugin by now; None where that is nobody.

        Raises Unavailable, and SecretUnreadableError.
        """
        ...

    async def stream(self, data: bytes, *, head: Response | None = None) -> bool:
        """Send the next part of the answer, the first one with its head; False when nobody is there to take it.

        It returns when the part was handed on to the caller, so that one who is slow makes the handler wait. It is for
        a call that `streams`; the time that it takes counts in the call's.
        """
        ...


class Live(Protocol):
    """What takes a call's lines while it runs, for those who follow its function. It never waits."""

    most_lines: int
    most_bytes: int

    @property
    def wanted(self) -> bool:
        """Whether anybody follows just now."""
        ...

    def watch(self, told: Callable[[bool], None]) -> None:
        """Have it told when somebody begins to follow, or nobody does any more, for as long as the call runs."""
        ...

    def miss(self, first: int, last: int) -> None:
        """Lines that the mode itself leaves out, because the call has written too many."""
        ...

    def say(self, lines: Sequence[Line]) -> None:
        """Lines of the call, by ascending numbers; what is left out between them is found missing."""
        ...


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call of one function version. `params` is JSON text; `context` is JSON values for the handler.

    `function` has its settings as they are stored, with what is secret still sealed; a mode that runs no code is given
    no artefact. `request` is what came over HTTP, its secret headers among the others, None for what did not
    (`requests.request_of` makes one of it); `actor` is who asks. `streams` says whether somebody takes an answer in
    parts. `attempt` counts from 1, `depth` the functions that called each other down to this one. With an `examination`
    it is no call, but that: what is found is the result, as JSON text. `trace` are the header lines that tell whoever
    is asked on behalf of the call its place in a trace; none where there is no trace. `live` takes its lines as they
    are written.
    """

    task_id: str
    tenant: str
    function_id: int
    code_hash: str
    artefact: Artefact = NO_CODE
    function: Function | None = None
    params: bytes
    context: dict[str, Any]
    limits: Limits
    attempt: int = 1
    trigger_type: TriggerType = "api"
    request: Request | None = None
    actor: Actor | None = None
    streams: bool = False
    depth: int = 0
    host: Host | None = None
    examination: Examination | None = None
    trace: tuple[Header, ...] = ()
    live: Live | None = None


class Unavailable(Exception):  # noqa: N818 - what it is called everywhere else
    """The mode cannot run anything just now, and nothing of the call has started: hand the work back."""


class SecretUnreadableError(Exception):
    """What is sealed cannot be opened with the operator's keys: the call fails, and says so."""


class Crowded(Unavailable):
    """This call would take more than its share of the mode: put it aside until there may be room, and hold no slot."""


class Again(msgspec.Struct, frozen=True):
    """The try ended as `outcome` says, and another one may end better: it is made if any is left.

    `asked_s` is the pause that the other side asks for, 0 for none.
    """

    outcome: Outcome
    asked_s: float = 0.0


class Reach(NamedTuple):
    """What a mode needs that makes calls of its own: bus and store, all functions, and what this process is called.

    `cancels` says which calls are not wanted any more.
    """

    bus: Bus
    store: Store
    functions: Directory
    instance: str
    cancels: Cancels | None = None


class Opening(NamedTuple):
    """What a mode is opened with: the executor's settings, the platform's, and the keys of what is sealed.

    `places` is the room for worker processes, one and the same for every mode that has some.
    """

    executor: Executor
    platform: Platform
    keyring: Keyring
    places: Places
    reach: Reach | None = None


class Mode(Protocol):
    """A way to run functions. Opened once by the executor, used by many calls side by side, closed once."""

    name: str
    # Whether it runs a tenant's code, and so is given artefacts; else it is given the function's settings.
    runs_code: bool
    # Whether it has plugins, and so is given calls with an `examination`.
    examines: bool
    # Whether it says itself, by `Again`, which of its failures may pass; else the execution tells by their types.
    judges: bool
    compiler: str
    # How many calls run side by side, and the part of these slots that one function may have while nobody else wants
    # any: what is over it is put aside on the bus. With 1 every call waits in one line.
    slots: int
    share: float

    async def prepare(self, source: str) -> Artefact | Refusal:
        """Check and compile a source, away from every other tenant's code. Never runs it. Raises Unavailable."""
        ...

    async def run(self, call: Call) -> Outcome | Again:
        """Run one call to its end. What the code does is an Outcome. Raises Unavailable before anything started."""
        ...

    def facts(self) -> dict[str, Any]:
        """What the health page and the metrics show: warm workers, spares, sandbox layers …"""
        ...

    async def close(self) -> None:
        """End every process of the mode. Calls that still run are cut."""
        ...
