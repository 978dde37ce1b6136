"""A pipeline: a tenant's functions one after the other, each with the result of the one before, or side by side."""

import re
from datetime import datetime
from typing import Any, Literal

import msgspec

from shared.domain.function import MAX_SLUG, check_freeform
from shared.domain.problem import Problem
from shared.domain.template import fault

PipelineMode = Literal["chain", "fan_out"]

JOB = "data_processing_job"
"""The system function that runs pipelines: the one that may not be a step, so that none has pipelines within it."""

MAX_STEPS = 50
MAX_WIDTH = 50
_NAME = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*")
_REFERABLE: dict[PipelineMode, frozenset[str]] = {
    "chain": frozenset({"input", "previous"}),
    "fan_out": frozenset({"input"}),
}


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One function, by its slug. `params` is a template of what it is given; without one it is given what comes in."""

    function: str
    params: dict[str, Any] | None = None


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline as it is configured. `width` bounds how many steps of a fan-out run side by side."""

    tenant: str
    name: str
    mode: PipelineMode
    steps: list[Step]
    width: int = 10
    description: str = ""
    revision: int = 1
    created_at: datetime
    updated_at: datetime


def check_pipeline(pipeline: Pipeline) -> None:
    """Refuse what could not be run. Raises Problem(invalid)."""
    if not _NAME.fullmatch(pipeline.name) or len(pipeline.name) > MAX_SLUG:
        raise _wrong("name", f"must be 1 to {MAX_SLUG} characters: words of a-z and 0-9, joined by _ or -")
    if not 1 <= len(pipeline.steps) <= MAX_STEPS:
        raise _wrong("steps", f"must be 1 to {MAX_STEPS}")
    if not 1 <= pipeline.width <= MAX_WIDTH:
        raise _wrong("width", f"must be from 1 to {MAX_WIDTH}")
    for place, step in enumerate(pipeline.steps):
        if step.function == JOB:
            raise _wrong(f"steps[{place}].function", "must not be a pipeline job: pipelines have no pipelines in them")
        if step.params is not None:
            check_freeform(f"steps[{place}].params", step.params)
            if found := fault(step.params, names=_REFERABLE[pipeline.mode]):
                raise _wrong(f"steps[{place}].params", found)


def _wrong(field: str, fault: str) -> Problem:
    message = f"{field} {fault}"
    return Problem("invalid", message, {field: message})
