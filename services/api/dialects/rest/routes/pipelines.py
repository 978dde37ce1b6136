"""Pipelines: made, listed, shown, changed, deleted. `services/api/routes.py` has the paths."""

from services.api.dialects.rest.openapi.answers import answers
from services.api.dialects.rest.routes.asked import Asked, By, To, Within
from services.api.dialects.rest.translate import pipelines as translate
from services.api.dialects.rest.wire import pipelines as wire
from services.api.dialects.rest.wire.pages import Page


async def list_pipelines(request: Asked, *, core: To, caller: By, part: Within) -> Page[wire.PipelineRow]:
    """The tenant's pipelines, by name."""
    count, found = await core.pipelines.listed(caller, limit=part.limit, skip=part.skip)
    return part.page(count, [translate.row(pipeline) for pipeline in found], request)


async def create_pipeline(*, core: To, caller: By, data: wire.CreatePipeline) -> wire.PipelineRow:
    """A new pipeline."""
    return translate.row(await core.pipelines.create(caller, translate.draft(data)))


async def show_pipeline(*, core: To, caller: By, name: str) -> wire.PipelineRow:
    """One pipeline."""
    return translate.row(await core.pipelines.shown(caller, name))


@answers("conflict")
async def change_pipeline(*, core: To, caller: By, name: str, data: wire.PatchPipeline) -> wire.PipelineRow:
    """Some of a pipeline's settings."""
    return translate.row(await core.pipelines.change(caller, name, translate.values(data)))


async def delete_pipeline(*, core: To, caller: By, name: str) -> None:
    """A pipeline."""
    await core.pipelines.delete(caller, name)
