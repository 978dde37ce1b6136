"""Pipelines as their owners see them: made, listed, shown, changed, deleted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from services.api.core.rights import must_develop, must_read
from shared.domain.caller import Caller
from shared.domain.pipeline import Pipeline, PipelineMode, Step, check_pipeline
from shared.domain.problem import Problem
from shared.registry import Registry
from shared.store import pipelines as stored
from shared.store.client import Store
from shared.store.functions import Functions

MAX_PIPELINES = 1000
"""Of one tenant."""


class PipelineDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline to be."""

    name: str
    mode: PipelineMode
    steps: list[Step]
    width: int
    description: str


class Pipelines:
    """What can be done with pipelines. Every method raises Problem(unavailable) when the store is away."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry

    async def create(self, caller: Caller, draft: PipelineDraft) -> Pipeline:
        """Add a pipeline. Raises Problem(invalid)."""
        must_develop(caller)
        now = datetime.now(UTC)
        values = msgspec.structs.asdict(draft)
        pipeline = Pipeline(tenant=caller.tenant, created_at=now, updated_at=now, **values)
        await self._check(pipeline)
        owned = self._of(caller)
        if await owned.count() >= MAX_PIPELINES:
            raise Problem("invalid", f"There are {MAX_PIPELINES} pipelines already; delete one first")
        try:
            await owned.insert(pipeline)
        except Problem as problem:
            if problem.code != "conflict":
                raise
            message = f"A pipeline named '{pipeline.name}' exists already"
            raise Problem("invalid", message, {"name": message}) from None
        return pipeline

    async def listed(self, caller: Caller, *, limit: int, skip: int) -> tuple[int, Sequence[Pipeline]]:
        """How many there are, and a part of them by name."""
        must_read(caller)
        owned = self._of(caller)
        return await owned.count(), await owned.listed(limit=limit, skip=skip)

    async def shown(self, caller: Caller, name: str) -> Pipeline:
        """One pipeline. Raises Problem(not_found)."""
        must_read(caller)
        return await self._named(caller, name)

    async def change(self, caller: Caller, name: str, values: dict[str, Any]) -> Pipeline:
        """Set these values and leave the others. Raises Problem(not_found, invalid, conflict)."""
        must_develop(caller)
        now = await self._named(caller, name)
        then = msgspec.structs.replace(now, **values, revision=now.revision + 1, updated_at=datetime.now(UTC))
        await self._check(then)
        if not await self._of(caller).replace(then):
            raise Problem("conflict", f"Pipeline '{name}' was changed or deleted by somebody else; look again")
        return then

    async def delete(self, caller: Caller, name: str) -> None:
        """Remove a pipeline; jobs that run go on with what they have read. Raises Problem(not_found)."""
        must_develop(caller)
        if not await self._of(caller).delete(name):
            raise _unknown(name)

    async def _named(self, caller: Caller, name: str) -> Pipeline:
        found = await self._of(caller).by_name(name)
        if found is None:
            raise _unknown(name)
        return found

    def _of(self, caller: Caller) -> stored.Pipelines:
        return stored.Pipelines(self._store, caller.tenant)

    async def _check(self, pipeline: Pipeline) -> None:
        """Refuse what could not be run, and functions that nobody knows. Raises Problem(invalid)."""
        check_pipeline(pipeline)
        offered = self._registry.slugs
        own = sorted({step.function for step in pipeline.steps if step.function not in offered})
        known: set[str] = set()
        if own:
            found = await Functions(self._store, pipeline.tenant).listed(
                {"slug": {"$in": own}}, order=[("slug", 1)], limit=len(own), skip=0
            )
            known = {function.slug for function in found}
        for place, step in enumerate(pipeline.steps):
            if step.function not in known and step.function not in offered:
                field = f"steps[{place}].function"
                message = f"{field}: there is no function with slug '{step.function}'"
                raise Problem("invalid", message, {field: message})


def _unknown(name: str) -> Problem:
    return Problem("not_found", f"Pipeline '{name}' not found")
