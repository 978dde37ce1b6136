"""Pipelines as bodies, field by field."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from shared.domain.pipeline import PipelineMode, Step

Name = Annotated[str, Meta(min_length=1, max_length=100)]
Description = Annotated[str, Meta(max_length=10_000)]


class CreatePipeline(msgspec.Struct, frozen=True, kw_only=True):
    """Body of the creation of a pipeline."""

    name: Name
    mode: PipelineMode = "chain"
    steps: list[Step]
    width: int = 10
    description: Description = ""


class PatchPipeline(msgspec.Struct, frozen=True, kw_only=True):
    """Body of a change of a pipeline: what is absent stays."""

    mode: PipelineMode | UnsetType = UNSET
    steps: list[Step] | UnsetType = UNSET
    width: int | UnsetType = UNSET
    description: Description | UnsetType = UNSET


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """A step as it is shown."""

    function: str
    params: dict[str, Any] | None


class PipelineRow(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline, alone and in a list."""

    name: str
    mode: PipelineMode
    steps: list[StepRow]
    width: int
    description: str
    created_at: str
    updated_at: str
