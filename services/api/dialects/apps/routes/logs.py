"""The logs of a function: as a list, and as they are made. `services/api/routes.py` has the paths."""

from services.api.core.following import Since
from services.api.dialects.apps.live import Live
from services.api.dialects.apps.routes.asked import Asked, By, To
from services.api.dialects.apps.translate import logs as translate
from services.api.dialects.apps.wire import logs as wire


async def show_logs(request: Asked, *, core: To, caller: By, app_id: str, name: str) -> wire.Entries:
    """The latest calls of a function, the newest first."""
    asked = request.query_params
    limit, since = translate.limit(asked.get("limit")), translate.moment(asked.get("since"))
    deleted = translate.is_true(asked.get("include_deleted"))
    function = await core.called.function(caller, app_id, name, deleted=deleted)
    failed = translate.failed(asked.get("level"))
    found, more = await core.logs.page(caller, function, limit=limit, since=since, failed=failed)
    return wire.Entries(logs=[translate.entry(one) for one in found], has_more=more)


async def follow_logs(request: Asked, *, core: To, caller: By, app_id: str, name: str) -> Live:
    """The calls of a function as they end, and with `lines` what they write before, as server-sent events."""
    asked, logs = request.query_params, core.logs
    last_event = request.headers.get("last-event-id") or asked.get("last_event_id")
    moment = translate.moment(asked.get("since"))
    since = translate.since(last_event) if last_event else Since(moment=moment)
    level, lines = asked.get("level"), translate.is_true(asked.get("lines"))
    function = await core.called.function(caller, app_id, name)
    headers = request.scope["headers"]

    async def may_go_on() -> bool:
        return await logs.may_follow(lambda: core.known(headers), function)

    following = await logs.follow(caller, function, since, failed=translate.failed(level), lines=lines)
    return Live(
        following,
        may_go_on,
        ending=logs.ending,
        keep_alive_s=logs.keep_alive_s,
        wanted=translate.wanted(level, moment),
    )
