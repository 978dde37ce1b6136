"""Between pipelines and their bodies. Pure."""

from typing import Any

import msgspec

from services.api.core.pipelines import PipelineDraft
from services.api.dialects.rest.translate.stamps import stamp
from services.api.dialects.rest.wire import pipelines as wire
from shared.domain.pipeline import Pipeline


def draft(body: wire.CreatePipeline) -> PipelineDraft:
    """The pipeline that a body describes."""
    return PipelineDraft(
        name=body.name, mode=body.mode, steps=body.steps, width=body.width, description=body.description
    )


def values(body: wire.PatchPipeline) -> dict[str, Any]:
    """What a body mentions."""
    mentioned = {field: getattr(body, field) for field in body.__struct_fields__}
    return {field: value for field, value in mentioned.items() if value is not msgspec.UNSET}


def row(pipeline: Pipeline) -> wire.PipelineRow:
    """A pipeline, alone and in a list."""
    return wire.PipelineRow(
        name=pipeline.name,
        mode=pipeline.mode,
        steps=[wire.StepRow(function=step.function, params=step.params) for step in pipeline.steps],
        width=pipeline.width,
        description=pipeline.description,
        created_at=stamp(pipeline.created_at),
        updated_at=stamp(pipeline.updated_at),
    )
