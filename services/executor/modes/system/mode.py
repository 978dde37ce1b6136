"""SYSTEM mode: functions that the platform and its operator provide, run in the executor itself.

They are the operator's code: nothing contains them, and what they do wrong they do to the executor.
"""

from typing import Any

from services.executor.mode import Artefact, Call, Opening, Refusal
from services.executor.modes.system import built_in
from services.executor.modes.system.calling import called
from services.executor.modes.system.loading import Loaded, load
from services.executor.modes.system.threads import Threads
from shared import registry
from shared.domain.caller import User
from shared.domain.outcome import Outcome, failure
from shared.domain.version import CompileError
from shared.system import Context, SystemFunction

POOL = "system"


class SystemMode:
    """Every registered function, by its slug."""

    name = POOL
    runs_code = False
    compiler = ""

    def __init__(self, loaded: Loaded, *, slots: int, default_timeout_s: float) -> None:
        self._functions = loaded.functions
        self._broken = loaded.broken
        self._default_timeout_s = default_timeout_s
        self._threads = Threads(slots)

    async def prepare(self, source: str) -> Artefact | Refusal:
        """There is no code of a tenant's to prepare."""
        return Refusal([CompileError(0, "system functions have no code")])

    async def run(self, call: Call) -> Outcome:
        """Run one call to its end."""
        slug = call.function.slug if call.function is not None else ""
        function = self._functions.get(slug)
        if function is None:
            return failure("NotLoaded", f"This executor could not load the system function '{slug}'; its log says why")
        context = self._context(call, function, slug)
        return (await called(function, call, context, threads=self._threads)).outcome

    def _context(self, call: Call, function: SystemFunction, slug: str) -> Context:
        user = call.context.get("user")
        return Context(
            task_id=call.task_id,
            tenant=call.tenant,
            function=slug,
            user=User(**user) if user else None,
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


async def open_for(opening: Opening) -> SystemMode:
    """Load everything that is registered."""
    loaded = load(registry.read(), await built_in.functions(opening))
    return SystemMode(loaded, slots=opening.executor.slots, default_timeout_s=opening.platform.default_timeout_s)
