"""Channels over HTTP: `POST /v1/{app}/realtime/{channel}` pushes, `GET` listens by server-sent events."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from services.triggers import ingress
from services.triggers.kind import Route, World
from services.triggers.kinds.websocket.admission import Admission, TurnedAwayError, token_in
from services.triggers.kinds.websocket.channels import Hub
from services.triggers.kinds.websocket.event_stream import EventStreams
from services.triggers.kinds.websocket.subscribing import check_listen, pushed
from shared import answers, cors, exchange
from shared import request_head as heads
from shared.answers import Answer
from shared.bus.channels import push
from shared.callers import refusals
from shared.callers.edge import Asker, refused
from shared.domain import channel as channels
from shared.domain.app import App
from shared.domain.problem import Problem, wrong
from shared.exchange import Line, Receive, Scope, Send

PATTERN = "/v1/{app}/realtime/{channel}"
_METHODS = ("GET", "POST")
_LISTENS = "GET"
_DONE = [(b"content-type", b"application/json")], b'{"ok":true}'
_ENVELOPE_BYTES = 4096  # of a body: the name of the event, and white space
_SKIPPED_BYTES = 4 << 20
_SKIP_S = 2.0


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    payload: msgspec.Raw
    event: str | None = None


class _Refused(Exception):  # noqa: N818 - an answer on its way out
    """What is answered in place of what was asked for."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class _One(NamedTuple):
    """One request; `beside` are the lines that every answer to it has besides its own."""

    scope: Scope
    receive: Receive
    send: Send
    beside: list[Line]


class ChannelDoor:
    """What HTTP clients say of channels."""

    def __init__(self, world: World, admission: Admission, hub: Hub) -> None:
        self._world = world
        self._admission = admission
        self._streams = EventStreams(world, hub)
        self._most_bytes = world.service.platform.publish_bytes
        self.routes = (Route(PATTERN, self.serve, lasting=frozenset({_LISTENS})),)

    async def serve(self, scope: Scope, receive: Receive, send: Send, named: Mapping[str, str]) -> None:
        """Answer one request."""
        one = _One(scope, receive, send, [])
        try:
            answer = await self._answer(one, named)
        except _Refused as refusal:
            answer = refusal.answer
        except Problem as problem:
            answer = refusals.answer_to(problem)
        if answer is not None:
            await ingress.answer(send, answer._replace(lines=[*answer.lines, *one.beside]))

    async def _answer(self, one: _One, named: Mapping[str, str]) -> Answer | None:
        """None where it has been sent already."""
        scope = one.scope
        method = scope["method"]
        sent = heads.sent(scope["headers"])
        token = sent.token or (token_in(scope["query_string"]) if method == _LISTENS else "")
        app = await self._app(named["app"], host=sent.host, token=token)
        one.beside.extend(cors.lines(app, sent.origin))
        if method == "OPTIONS" and sent.origin and sent.preflight:
            one.beside.clear()  # the answer says it all
            return Answer(204, cors.preflight(app, sent.origin, wanted=sent.wanted, methods=_METHODS), b"")
        if method not in _METHODS:
            raise _Refused(refusals.not_allowed(_METHODS))
        asker = await self._asker(app, token)
        channels.check_name(named["channel"])
        if method == _LISTENS:
            check_listen(asker, named["channel"])
            await self._listen(one, app, named["channel"], token)
            return None
        return await self._push(one, app, named["channel"], asker)

    async def _app(self, named: str, *, host: str, token: str) -> App:
        app = await self._admission.app(named, host=host, token=token)
        if app is None or not await self._world.edge.is_open(app.tenant):
            raise Problem("not_found", "App not found")
        return app

    async def _asker(self, app: App, token: str) -> Asker:
        """Who asks, with a credential that is good. Raises _Refused, Problem(forbidden, unavailable)."""
        asker = await self._admission.asker(app, token)
        if asker.fault:
            raise _Refused(refusals.answer_to(refused(asker.fault), stranger=asker.fault))
        return asker

    async def _push(self, one: _One, app: App, channel: str, asker: Asker) -> Answer:
        if asker.caller is None:
            raise Problem("forbidden", "Only a service token may publish; an end user calls a function that does")
        most_bytes = self._most_bytes + _ENVELOPE_BYTES
        await _check_length(one, most_bytes)
        within_s = self._world.settings.body_wait_s
        body = _read(await exchange.read(one.receive, most_bytes=most_bytes, within_s=within_s))
        payload = channels.payload_of(bytes(body.payload), most_bytes=self._most_bytes)
        await push(self._world.service.bus, pushed(app, channel, event=body.event or "", payload=payload))
        return answers.whole(200, *_DONE)

    async def _listen(self, one: _One, app: App, channel: str, token: str) -> None:
        async def may_go_on() -> bool:
            try:
                await self._admission.again(app, token)
            except TurnedAwayError:
                return False
            return True

        stream = await self._streams.open(app, channel, may_go_on)
        await stream.serve(one.receive, one.send, beside=one.beside)


async def _check_length(one: _One, most_bytes: int) -> None:
    """Raises Problem(too_large), to who has sent what he has announced, or enough of it."""
    headers = one.scope["headers"]
    try:
        exchange.announced(headers, most_bytes=most_bytes)
    except Problem:
        if not any(name == b"expect" for name, _ in headers):  # else he waits to be asked for it
            await exchange.skip(one.receive, most_bytes=_SKIPPED_BYTES, within_s=_SKIP_S)
        raise


def _read(text: bytes) -> _Body:
    """Raises Problem(invalid)."""
    try:
        return msgspec.json.decode(text, type=_Body)
    except msgspec.ValidationError as error:
        raise wrong("body", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise wrong("body", 'The body must be JSON: {"event": "…", "payload": …}') from None
