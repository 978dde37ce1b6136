"""Versions of a function's code: listed, compared, returned to. `services/api/routes.py` has the paths."""

from services.api.dialects.webui.routes.asked import By, Page, Size, To
from services.api.dialects.webui.translate import functions, refusals
from services.api.dialects.webui.translate import versions as translate
from services.api.dialects.webui.translate.refusals import told
from services.api.dialects.webui.wire import versions as wire
from services.api.dialects.webui.wire.functions import Model

PAGE_SIZE = 20


async def list_plugin_versions(
    *, core: To, caller: By, id: str, page: Page = 1, limit: Size = PAGE_SIZE
) -> list[wire.Version]:
    """A page of the versions of a function's code, the newest first."""
    found = await core.versions.listed(caller, id, limit=limit + 1, skip=(page - 1) * limit)
    return translate.page(id, found, limit=limit)


async def diff_plugin_versions(*, core: To, caller: By, id: str, from_id: str, to_id: str) -> wire.Diff:
    """What differs between two versions."""
    before, after = translate.number(from_id), translate.number(to_id)
    with told(refusals.of_version):
        return translate.diff(await core.versions.diff(caller, id, before=before, after=after))


async def use_plugin_version(*, core: To, caller: By, id: str, data: wire.Use) -> Model:
    """A function with the code of this version."""
    version, message = translate.number(data.version_id), data.commit_message or ""
    with told(refusals.of_version):
        return functions.model(await core.versions.use(caller, id, version, message=message))
