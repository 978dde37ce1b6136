"""Functions: deployed, listed, shown, deleted. `services/api/routes.py` has the paths."""

from collections.abc import Mapping

from services.api.dialects.apps.routes.asked import MAX_LISTED, Asked, By, Core, Size, To, Whole
from services.api.dialects.apps.translate import functions as translate
from services.api.dialects.apps.wire import functions as wire
from shared.domain.problem import Problem


async def deploy(request: Asked, *, core: To, caller: By, app_id: str, data: wire.Deploy) -> wire.Deployed:
    """A function as it is to be from now on, whether there was one of its name or not."""
    try:
        made = await core.deployments.deploy(caller, app_id, translate.deployment(data))
    except Problem as problem:
        raise translate.in_our_words(problem) from None
    signatures = core.webhooks.signatures(caller, made.app, [made.function])
    return translate.deployed(made, _at(request, core, signatures))


async def list_deployed(
    request: Asked, *, core: To, caller: By, app_id: str, limit: Size = None, offset: Whole = None
) -> wire.Listed:
    """The functions of an app, by name; a thousand of them unless fewer are asked for."""
    size = min(limit or MAX_LISTED, MAX_LISTED)
    app, found = await core.deployments.listed(caller, app_id, limit=size + 1, skip=offset or 0)
    counted = await core.metrics.of(caller.tenant, [function.id for function in found[:size]])
    at = _at(request, core, core.webhooks.signatures(caller, app, found[:size]))
    return translate.listed(app, found[:size], counted, at, has_more=len(found) > size)


async def show_deployed(request: Asked, *, core: To, caller: By, app_id: str, name: str) -> wire.Detail:
    """One function, with its code and its metrics."""
    shown = await core.deployments.shown(caller, app_id, name)
    counted = await core.metrics.of(caller.tenant, [shown.function.id])
    at = _at(request, core, core.webhooks.signatures(caller, shown.app, [shown.function]))
    return translate.detail(shown, counted[shown.function.id], at)


async def delete_deployed(*, core: To, caller: By, app_id: str, name: str) -> wire.Deleted:
    """A function that is not to be there any more; it comes back as who it was when its name is deployed again."""
    await core.deployments.delete(caller, app_id, name)
    return wire.Deleted()


def _at(request: Asked, core: Core, signatures: Mapping[int, str]) -> translate.At:
    return translate.At(request.base, core.webhook_base or request.base, signatures)
