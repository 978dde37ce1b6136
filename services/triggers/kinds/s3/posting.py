"""Where uploads are posted to us: `POST /events/{source}`, by SNS, MinIO, SeaweedFS and EventBridge.

The sender is answered 200 when all that its events set off is on disk, and 503 when that cannot be: it tries again.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from services.triggers.ingress import answer
from services.triggers.kind import Route, World
from services.triggers.kinds.s3.adapter import SourceFault
from services.triggers.kinds.s3.event import ObjectEvent
from services.triggers.kinds.s3.parse import MAX_BYTES, Malformed, parse
from services.triggers.kinds.s3.sources import Opened, Sources
from shared import answers, exchange, telemetry
from shared.domain.event_source import HttpConfig, HttpFormat
from shared.domain.problem import Code, Problem
from shared.exchange import Receive, Scope, Send

_log = telemetry.logger("s3")
_STATUS: dict[Code, int] = {"unauthenticated": 401, "forbidden": 401, "too_large": 413, "unavailable": 503}
_WRONG = 400
_BEARER = b"bearer "
# In which headers each of them may show the token, either after `Bearer` or as it is.
_SHOWN_IN: dict[HttpFormat, tuple[bytes, ...]] = {
    "minio": (b"authorization",),
    "seaweedfs": (b"authorization",),
    "eventbridge": (b"x-api-key", b"authorization"),
}
_ALLOWED = (b"allow", b"POST, GET, HEAD")

TakeFrom = Callable[[Opened, Sequence[ObjectEvent]], Awaitable[None]]
"""Takes what was posted to a source. Raises Problem(unavailable), SourceFault."""


class Sns(Protocol):
    """Tells messages of Amazon SNS from what only looks like them, and confirms subscriptions."""

    async def verified(self, body: bytes, *, topics: Sequence[str]) -> Any:
        """Raises Problem(unauthenticated, forbidden, invalid, unavailable) for what is not of one of these topics."""
        ...


class Posting:
    """The route. `take` is given what the sources' events are."""

    def __init__(self, world: World, sources: Sources, *, sns: Sns, take: TakeFrom) -> None:
        self._sources = sources
        self._sns = sns
        self._take = take
        self._requests = world.requests
        self._body_wait_s = world.settings.body_wait_s
        self.routes = (Route("/events/{source}", self.serve),)

    async def serve(self, scope: Scope, receive: Receive, send: Send, named: Mapping[str, str]) -> None:
        """Answer one request."""
        try:
            opened = await self._sources.by_public_id(named["source"])
            if opened is None or not isinstance(opened.config, HttpConfig):
                whole = answers.plain(404, error="There is no such source of events")
            elif scope["method"] in ("GET", "HEAD"):  # whether anybody is there: senders ask before they begin
                whole = answers.whole(200, [], b"")
            elif scope["method"] != "POST":
                refused = answers.plain(405, error="Events are posted")
                whole = refused._replace(lines=[*refused.lines, _ALLOWED])
            else:
                whole = await self._posted(opened, opened.config, scope, receive)
        except Problem as problem:
            whole = answers.plain(_STATUS.get(problem.code, _WRONG), error=problem.message)
        await answer(send, whole)

    async def _posted(self, opened: Opened, config: HttpConfig, scope: Scope, receive: Receive) -> answers.Answer:
        if config.format != "sns":
            _known(opened, config.format, scope)
        exchange.announced(scope["headers"], most_bytes=MAX_BYTES)
        body = await exchange.read(receive, most_bytes=MAX_BYTES, within_s=self._body_wait_s)
        if config.format == "sns":
            await self._sns.verified(body, topics=config.topics)
        malformed = ""
        try:
            events = parse(body)
        except Malformed as fault:
            events, malformed = list(fault.uploads), str(fault)
            telemetry.S3_EVENTS.labels("malformed").inc()
            _log.warning("an event cannot be read", source=opened.source.public_id, reason=malformed)
        try:
            with self._requests.held(opened.source.tenant):
                await self._take(opened, events)
        except SourceFault as fault:
            _log.warning("events cannot be taken", source=opened.source.public_id, reason=str(fault))
            raise Problem("unavailable", "The events cannot be taken just now; try again in a moment") from None
        return answers.plain(400, error=malformed) if malformed else answers.whole(200, [], b"")


def _known(opened: Opened, sender: HttpFormat, scope: Scope) -> None:
    """Refuse who does not show the token of the source. Raises Problem(unauthenticated)."""
    token = opened.secrets.get("token", "").encode()
    for name, value in scope["headers"]:
        if name in _SHOWN_IN[sender] and _is(token, value):
            return
    raise Problem("unauthenticated", "The token is missing, or it is not that of the source")


def _is(token: bytes, shown: bytes) -> bool:
    """In the same time whatever is shown, of the same length."""
    bare = shown[len(_BEARER) :] if shown[: len(_BEARER)].lower() == _BEARER else shown
    same = hmac.compare_digest(token, bare) | hmac.compare_digest(token, shown)
    return same and bool(token)
