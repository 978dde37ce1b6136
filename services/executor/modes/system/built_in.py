"""The functions that come with the platform, by slug: those of `shared.registry.BUILT_IN`."""

from services.executor.mode import Opening
from services.executor.modes.system.children import MOST, Children
from services.executor.modes.system.example import example
from services.executor.modes.system.pipelines import Jobs
from shared.domain.pipeline import JOB
from shared.system import SystemFunction
from shared.waiting import Waiting


async def functions(opening: Opening) -> dict[str, SystemFunction]:
    """All of them, each with what it needs; without a reach, those that need none."""
    found = {"example": example}
    if (reach := opening.reach) is not None:
        waiting = Waiting(reach.bus, reach.store, instance=reach.instance, most=MOST)
        await waiting.open()
        children = Children(reach.bus, reach.store, functions=reach.functions, waiting=waiting)
        found[JOB] = Jobs(children, reach.store, most=max(1, opening.executor.slots // 2)).function()
    return found
