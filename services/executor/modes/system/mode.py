"""SYSTEM mode: functions that the platform and its operator provide, run in the executor itself.

They are the operator's code: nothing contains them, and what they do wrong they do to the executor.
"""

from typing import Any

from services.executor.config import Executor
from services.executor.mode import Again, Artefact, Call, Opening, Refusal
from services.executor.modes.system.built_in import BuiltIn
from services.executor.modes.system.calling import called
from services.executor.modes.system.loading import Loaded, load
from services.executor.modes.system.threads import Threads
from shared import registry
from shared.domain.caller import User
from shared.domain.outcome import Outcome, failure
from shared.domain.version import CompileError
from shared.system import Context, SystemFunction

POOL = "system"
_SHARE = 0.9  # of the slots, for one function while no other wants any; what is over is put aside on the bus


class SystemMode:
    """Every registered function, by its slug."""

    name = POOL
    runs_code = False
    examines = False
    judges = True
    compiler = ""

    def __init__(self, loaded: Loaded, built_in: BuiltIn, *, executor: Executor, default_timeout_s: float) -> None:
        self.slots = executor.system_slots
        self.share = _SHARE
        self._built_in = built_in
        self._functions = loaded.functions
        self._broken = loaded.broken
        self._default_timeout_s = default_timeout_s
        self._threads = Threads(self.slots)

    async def prepare(self, source: str) -> Artefact | Refusal:
        """There is no code of a tenant's to prepare."""
        return Refusal([CompileError(0, "system functions have no code")])

    async def run(self, call: Call) -> Outcome | Again:
        """Run one call to its end, or to another try. Raises Unavailable, Crowded."""
        slug = call.function.slug if call.function is not None else ""
        function = self._functions.get(slug)
        if function is None:
            return failure("NotLoaded", f"This executor could not load the system function '{slug}'; its log says why")
        context = self._context(call, function, slug)
        ended = await called(function, call, context, threads=self._threads)
        if ended.after_s is None or call.attempt > function.max_retries:
            return ended.outcome
        return Again(ended.outcome, ended.after_s)

    def _context(self, call: Call, function: SystemFunction, slug: str) -> Context:
        user = call.context.get("user")
        return Context(
            task_id=call.task_id,
            tenant=call.tenant,
            function=slug,
            user=User(**user) if user else None,
            attempt=call.attempt,
            timeout_s=min(function.timeout_s or self._default_timeout_s, call.limits.timeout_s),
            limits=call.limits,
            trigger_type=call.trigger_type,
        )

    def facts(self) -> dict[str, Any]:
        """What can be called, what is broken, and how many threads work."""
        return {
            "functions": sorted(self._functions),
            "broken": [refused._asdict() for refused in self._broken],
            "threads_busy": self._threads.busy,
        }

    async def close(self) -> None:
        """Let go of what the built-in functions hold. Threads end with the process."""
        await self._built_in.close()


async def open_for(opening: Opening) -> SystemMode:
    """Load everything that is registered."""
    built_in = BuiltIn(opening)
    loaded = load(registry.read(), await built_in.functions())
    default_timeout_s = opening.platform.default_timeout_s
    return SystemMode(loaded, built_in, executor=opening.executor, default_timeout_s=default_timeout_s)
