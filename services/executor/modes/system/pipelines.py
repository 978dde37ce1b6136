"""`data_processing_job`: runs one of the tenant's pipelines, each step an invocation of its own."""

import asyncio
import time
from typing import Any

import msgspec

from services.executor.children import Asked, Child, Children, Find, Parent
from services.executor.mode import Crowded
from shared.directory import Directory
from shared.domain.function import Function
from shared.domain.invocation import FINAL
from shared.domain.outcome import NULL
from shared.domain.pipeline import Pipeline, Step
from shared.domain.template import MissingError, filled
from shared.store.client import Store
from shared.store.pipelines import Pipelines
from shared.system import MAX_TIMEOUT_S, Context, Failure, SystemFunction

# What a job keeps of its time, to say by itself that it is over: this part of it, or so many seconds if that is less.
_SPARE = 0.05
_SPARE_S = 1.0

_ENDED_BADLY = FINAL - {"SUCCESS"}
_SKELETON_BYTES = 64 << 10  # of a job's result: what stands round the results of its steps


class Job(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Params of a job: which pipeline, and what it is given."""

    pipeline: str
    input: dict[str, Any] = {}


class _Run:
    """One job under way: its steps so far, for the result."""

    def __init__(
        self, pipeline: Pipeline, parent: Parent, children: Children, *, functions: Directory, job: Job
    ) -> None:
        self._pipeline = pipeline
        self._parent = parent
        self._children = children
        self._functions = functions
        self._job = job
        self._steps: dict[int, dict[str, Any]] = {}

    async def chain(self) -> dict[str, Any]:
        """One step after the other; the last one's result is the job's."""
        raw: msgspec.Raw = NULL
        previous: Any = None
        for number, step in enumerate(self._pipeline.steps, 1):
            params = self._params(number, step, before=self._job.input if number == 1 else previous)
            child = await self._call(number, step, params)
            if child.outcome is None or child.outcome.status != "SUCCESS":
                raise self._failure([number])
            raw = child.outcome.result
            previous = msgspec.json.decode(raw)
        return self.told(raw)

    async def fan_out(self, *, result_bytes: int) -> dict[str, Any]:
        """All steps side by side, each with the job's input; their results in order."""
        places = asyncio.Semaphore(self._pipeline.width)

        async def one(number: int, step: Step, params: Any) -> Child:
            async with places:
                return await self._call(number, step, params)

        given = [
            (number, step, self._params(number, step, before=self._job.input))
            for number, step in enumerate(self._pipeline.steps, 1)
        ]
        calls = [asyncio.ensure_future(one(*each)) for each in given]
        try:
            children = await asyncio.gather(*calls)
        finally:
            for call in calls:
                call.cancel()
        results = self._fitting(children, left=result_bytes - _SKELETON_BYTES)
        if wrong := [number for number, step in sorted(self._steps.items()) if step["status"] != "SUCCESS"]:
            raise self._failure(wrong, results)
        return self.told(results)

    def told(self, result: Any) -> dict[str, Any]:
        """The job's result."""
        pipeline = self._pipeline
        steps = [step for _, step in sorted(self._steps.items())]
        return {"pipeline": pipeline.name, "mode": pipeline.mode, "steps": steps, "result": result}

    async def _call(self, number: int, step: Step, params: Any) -> Child:
        said: dict[str, Any] = {"step": number, "function": step.function, "task_id": "", "status": "PENDING"}
        self._steps[number] = said
        child = await self._children.call(self._parent, number, self._finding(step.function), _asked(step, params))
        said["task_id"] = child.task_id
        if child.outcome is not None:
            said["status"] = child.outcome.status
            if child.outcome.error_type:
                said["error"] = child.outcome.message
        return child

    def _finding(self, slug: str) -> Find:
        async def find() -> Function | None:
            return await self._functions.find(self._parent.tenant, slug, revision=0)

        return find

    def _params(self, number: int, step: Step, *, before: Any) -> Any:
        """What a step is given: its template filled in, or what comes before it, put into an object if it is none."""
        if step.params is None:
            return before if isinstance(before, dict) else {"value": before}
        try:
            return filled(step.params, {"input": self._job.input, "previous": before})
        except MissingError as missing:
            message = f"Step {number} ({step.function}) cannot be given its params: {missing}"
            raise Failure("MissingReference", message, result=self.told(None)) from None

    def _failure(self, wrong: list[int], results: Any = None) -> Failure:
        """Why the job ends: a step failed, or had not ended when the time was up."""
        of = f"of {len(self._pipeline.steps)}"
        failed = [step for number in wrong if (step := self._steps[number])["status"] in _ENDED_BADLY]
        if failed:
            sentences = [f"step {step['step']} {of} ({step['function']}) failed: {step['error']}" for step in failed]
            return Failure("StepFailed", "; ".join(sentences), result=self.told(results))
        late = [self._steps[number] for number in wrong]
        names = [
            f"step {step['step']} {of} ({step['function']}, task {step['task_id'] or 'not begun'})" for step in late
        ]
        message = f"The job's time was up, and these had not ended: {', '.join(names)}"
        return Failure("TimeoutError", message, result=self.told(results))

    def _fitting(self, children: list[Child], *, left: int) -> list[msgspec.Raw]:
        """The results in order; null for a step without one, and for one that finds no room: its record has it."""
        results = []
        for number, child in enumerate(children, 1):
            result = child.outcome.result if child.outcome is not None and child.outcome.status == "SUCCESS" else NULL
            if (size := len(bytes(result))) > left:
                self._steps[number]["result_omitted"], result = True, NULL
            else:
                left -= size
            results.append(result)
        return results


def _asked(step: Step, params: Any) -> Asked:
    missing = f"Function with slug '{step.function}' not found or not active"
    return Asked(missing=missing, params=msgspec.json.encode(params))


class Jobs:
    """Runs jobs, of which so many at once that other functions of the pool find room, those in pipelines too."""

    def __init__(self, children: Children, store: Store, *, functions: Directory, most: int) -> None:
        self._children = children
        self._functions = functions
        self._store = store
        self._left = most

    def function(self) -> SystemFunction:
        """The system function. It may run for as long as the tenant and the platform permit."""
        return SystemFunction(
            run=self.run,
            description="Runs a pipeline: a tenant's functions in a chain, or side by side.",
            params=Job,
            timeout_s=MAX_TIMEOUT_S,
        )

    async def run(self, job: Job, context: Context) -> dict[str, Any]:
        """Run one pipeline. Raises Unavailable when there are too many, or bus or store are away."""
        if not self._left:
            raise Crowded("too many pipelines run here already")
        self._left -= 1
        try:
            pipeline = await Pipelines(self._store, context.tenant).by_name(job.pipeline)
            if pipeline is None:
                raise Failure("PipelineNotFound", f"Pipeline '{job.pipeline}' not found")
            parent = Parent(
                task_id=context.task_id,
                tenant=context.tenant,
                user=context.user,
                trigger_type=context.trigger_type,
                until=time.monotonic() + context.timeout_s - min(context.timeout_s * _SPARE, _SPARE_S),
            )
            run = _Run(pipeline, parent, self._children, functions=self._functions, job=job)
            if pipeline.mode == "chain":
                return await run.chain()
            return await run.fan_out(result_bytes=context.result_bytes)
        finally:
            self._left += 1
