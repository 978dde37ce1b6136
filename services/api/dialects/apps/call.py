"""The call of a function over HTTP, as a plain ASGI application: it does not pay for the framework.

It stands in front of the framework and takes the paths that `targets` knows.
"""

import asyncio
from typing import NamedTuple

from services.api.core.calls import Asked, Call, Calls, Crowded, is_callable, no_code
from services.api.core.directory import Directory
from services.api.dialects.apps import problems, replayed, triggers
from services.api.dialects.apps.targets import Target
from services.api.rates import METER, Meter
from shared import answers, cors, exchange
from shared import request_head as heads
from shared.answers import Answer, Told
from shared.app_directory import AppDirectory
from shared.callers import refusals
from shared.callers.addressed import addressed_app
from shared.callers.auth import Auth
from shared.callers.edge import Asker, Edge, Fault, has_our_form, has_ours_within, refused
from shared.domain.app import App
from shared.domain.caller import Caller
from shared.domain.function import Function
from shared.domain.idempotency import HEADER, checked
from shared.domain.outcome import Outcome
from shared.domain.problem import Problem
from shared.domain.request import Header, Request, Response
from shared.domain.trigger import HttpAuth
from shared.exchange import Line, Receive, Scope, Send
from shared.request_head import Sent
from shared.waiting import Wait

_TEST = ("POST",)
_OF_PROXIES = frozenset({"CONNECT", "TRACE"})  # between a client and who relays for it; Fetch has no such requests
_KEY = HEADER.encode()
_EARLY_S = 0.1  # a timer may be this much ahead of the clock


class _Refused(Exception):  # noqa: N818 - an answer on its way out
    """What is answered before anything was run."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer


class _One(NamedTuple):
    """One request; `beside` are the lines that every answer to it has besides its own."""

    scope: Scope
    receive: Receive
    send: Send
    beside: list[Line]


class _Place(NamedTuple):
    """What a request asks for, and what let it in."""

    app: App
    function: Function
    auth: HttpAuth


class CallFunction:
    """The application. `body_wait_s` bounds the time that the sender of a body may take."""

    def __init__(
        self, auth: Auth, edge: Edge, calls: Calls, *, apps: AppDirectory, functions: Directory, body_wait_s: float
    ) -> None:
        self._auth = auth
        self._edge = edge
        self._calls = calls
        self._apps = apps
        self._functions = functions
        self._body_wait_s = body_wait_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send, called: Target) -> None:
        """Answer one request."""
        one = _One(scope, receive, send, [])
        answer: Answer | None
        try:
            answer = await self._answer(one, called)
        except _Refused as refusal:
            answer = refusal.answer
        except Crowded:
            answer = answers.crowded()
        except Problem as problem:
            answer = refusals.answer_to(problem)
        except Exception as error:  # noqa: BLE001 - the outermost frame: our own fault becomes a 500 and a log line
            answer = _rendered(*problems.crashed(error, path=scope["path"]))
        if answer is not None:
            await send_whole(one.send, answer, one.beside)

    async def _answer(self, one: _One, called: Target) -> Answer | None:
        sent = heads.sent(one.scope["headers"])
        caller = await self._edge.caller(sent.token)
        app = await self._app(called, sent, caller)
        one.beside.extend(cors.lines(app, sent.origin))
        place = await self._place(one, called, app, sent)
        asker = await self._asker(place, sent, caller, called=called)
        await _count(one.scope.get(METER), app, asker)
        limits = self._calls.limits(place.function, tenant=await self._edge.ceilings(app.tenant))
        exchange.announced(one.scope["headers"], most_bytes=limits.params_bytes)
        body = await exchange.read(one.receive, most_bytes=limits.params_bytes, within_s=self._body_wait_s)
        request, secret = await self._request(one, called, sent, caller, body=body)
        key = checked([value.decode("latin-1") for name, value in one.scope["headers"] if name == _KEY])
        user = asker.caller.user if asker.caller else None
        asked = Asked(
            request=request,
            secret=secret,
            actor=asker.actor,
            user=user,
            trigger_type="api" if called.tests else "http",
            idempotency_key=key,
        )
        call = await self._calls.call(place.function, asked, timeout_s=limits.timeout_s)
        one.beside.append((b"x-invocation-id", call.task_id.encode()))
        is_owner = asker.caller is not None
        if call.replayed or call.wait is None:
            return await self._replayed(one, call, is_owner=is_owner)
        return await self._outcome(one, call, call.wait, is_owner=is_owner)

    async def _app(self, called: Target, sent: Sent, caller: Caller | None) -> App:
        app = await addressed_app(self._apps, self._auth, called.app, host=sent.host, caller=caller)
        if app is None or not await self._edge.is_open(app.tenant):
            raise _missing(called)
        return app

    async def _place(self, one: _One, called: Target, app: App, sent: Sent) -> _Place:
        """What is called, if it is there, has a trigger for it, and takes this method."""
        method = one.scope["method"]
        asks_beforehand = method == "OPTIONS" and bool(sent.origin and sent.preflight)
        if called.tests and asks_beforehand:
            raise _preflight(one, app, sent, _TEST)
        found = await self._functions.named(app, called.name) if called.name else None
        if called.tests:
            return _tested(called, found, app, method)
        trigger = found.trigger("http") if found is not None and is_callable(found) else None
        if found is None or trigger is None or not triggers.is_at(trigger.config, called.rest):
            raise _missing(called)
        methods = triggers.methods_of(trigger.config)
        if asks_beforehand:
            raise _preflight(one, app, sent, methods)
        if method in _OF_PROXIES or (methods and method not in methods):
            raise _not_allowed(methods or cors.METHODS)
        return _Place(app, found, triggers.auth_of(trigger.config))

    async def _asker(self, place: _Place, sent: Sent, caller: Caller | None, *, called: Target) -> Asker:
        """Who asks. A function's test is its owner's alone: an end user is nobody there."""
        try:
            asker = await self._edge.asker(place.app, sent.token, caller)
        except Problem:
            if place.auth == "required":
                raise
            return Asker()  # who cannot be asked about is nobody known, where that will do
        fault: Fault = "token" if called.tests and asker.caller is None and not asker.fault else asker.fault
        if fault and place.auth == "required":
            raise _turned_away(fault)
        return asker

    async def _request(
        self, one: _One, called: Target, sent: Sent, caller: Caller | None, *, body: bytes
    ) -> tuple[Request, list[Header]]:
        scope = one.scope
        head = heads.head(scope, sent.host, without=await self._ours(scope, sent, caller))
        path, url = head.path, head.url
        if called.tests:  # as if it had been called
            path = path.removesuffix("/").removesuffix("/invoke").replace("/functions/", "/fn/", 1)
            url = url.removesuffix(head.path) + path
        request = Request(
            method=scope["method"], url=url, path=path, query=head.query, headers=head.headers, body=body, ip=head.ip
        )
        return request, head.secret

    async def _ours(self, scope: Scope, sent: Sent, caller: Caller | None) -> set[Header]:
        """The lines whose credentials are the platform's: they are not for a function's eyes."""
        ours: set[Header] = set()
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            if has_ours_within(value):
                ours.add((name, value))
            elif name in heads.CREDENTIALS:
                token = heads.token_of(name, value)
                if token and token != sent.token:
                    known = await self._edge.is_platforms(token)
                else:  # looked up before, or of a kind that says nothing here, and may be ours all the same
                    known = has_our_form(token or value.rpartition(" ")[2]) or (bool(token) and caller is not None)
                if known:
                    ours.add((name, value))
        return ours

    async def _replayed(self, one: _One, call: Call, *, is_owner: bool) -> Answer:
        """The answer to a call that another request has made, with the same idempotency key."""
        watch = None if call.wait is None else exchange.Watch(call.wait, one.receive)
        try:
            outcome = await self._calls.outcome(call)
        finally:
            if watch is not None:
                watch.end()
        one.beside.extend(replayed.lines(outcome))
        return _told(one, call, outcome, is_owner=is_owner)

    async def _outcome(self, one: _One, call: Call, wait: Wait, *, is_owner: bool) -> Answer | None:
        """The answer; None for one that has been sent while it was made."""
        watch = exchange.Watch(wait, one.receive)
        try:
            part = await wait.part()
            if part is not None:
                return await self._stream(one, call, wait, head=part.head, first=part.data)
            outcome = await self._calls.outcome(call)
        finally:
            watch.end()
        return _told(one, call, outcome, is_owner=is_owner)

    async def _stream(self, one: _One, call: Call, wait: Wait, *, head: Response | None, first: bytes) -> Answer | None:
        """Each part as it comes. What breaks off is left without its end: the server closes the connection then."""
        instead = answers.instead(head, is_head=one.scope["method"] == "HEAD")
        if instead is not None or head is None:
            wait.give_up()  # nobody is there for the next part
            return instead
        lines = answers.lines_of(head)
        start = {"status": head.status, "headers": [*lines, *cors.beside(lines, one.beside)]}
        try:
            async with asyncio.timeout_at(call.until):  # the call is over then, but a caller may still take nothing
                await one.send({"type": "http.response.start", **start})
                await self._parts(one, call, wait, first=first)
        except TimeoutError:
            wait.give_up()
        return None

    async def _parts(self, one: _One, call: Call, wait: Wait, *, first: bytes) -> None:
        data: bytes | None = first
        while data is not None:
            if data:  # an empty one would be taken for the end
                await one.send({"type": "http.response.body", "body": data, "more_body": True})
            part = await wait.part()
            data = None if part is None else part.data
        outcome = await self._calls.outcome(call)
        if outcome is not None and outcome.status == "SUCCESS":
            await one.send({"type": "http.response.body", "body": b""})


def _told(one: _One, call: Call, outcome: Outcome | None, *, is_owner: bool) -> Answer:
    now = asyncio.get_running_loop().time()
    told = Told(call.timeout_s, now - call.began, is_owner, is_head=one.scope["method"] == "HEAD")
    if outcome is not None:
        return replayed.instead(outcome, call.task_id) or answers.answer_of(outcome, told)
    if now >= call.until - _EARLY_S:
        return answers.unanswered(told, call.task_id)
    return answers.away(call.task_id)


async def send_whole(send: Send, answer: Answer, beside: list[Line]) -> None:
    """Send a whole answer, with the lines that are beside its own."""
    lines = [*answer.lines, *cors.beside(answer.lines, beside)]
    await send({"type": "http.response.start", "status": answer.status, "headers": lines})
    await send({"type": "http.response.body", "body": answer.body})


async def _count(meter: Meter | None, app: App, asker: Asker) -> None:
    """Raises Problem(rate_limited)."""
    if meter is None:
        return
    if asker.caller is not None:
        await meter.spend(asker.caller)
    else:
        user_id = asker.actor.user_id
        await meter.spend_outside(app.tenant, f"{app.public_id}/{user_id}" if user_id else "")


def _turned_away(fault: Fault) -> Exception:
    """What a caller is told who had to be known."""
    problem = refused(fault)
    if problem.code != "unauthenticated":
        return problem
    return _Refused(refusals.answer_to(problem, stranger=fault))


def _tested(called: Target, found: Function | None, app: App, method: str) -> _Place:
    """The owner needs no trigger."""
    if found is None or not found.is_active:
        raise _missing(called)
    if method not in _TEST:
        raise _not_allowed(_TEST)
    if not is_callable(found):
        raise no_code(found.name)
    return _Place(app, found, "required")


def _preflight(one: _One, app: App, sent: Sent, methods: tuple[str, ...]) -> _Refused:
    one.beside.clear()  # the answer says it all
    return _Refused(Answer(204, cors.preflight(app, sent.origin, wanted=sent.wanted, methods=methods), b""))


def _missing(called: Target) -> Exception:
    return Problem("not_found", "Function not found") if called.tests else _Refused(answers.missing())


def _not_allowed(methods: tuple[str, ...]) -> _Refused:
    allow = (b"allow", ", ".join(methods).encode())
    refusal = answers.plain(405, error="Method not allowed")
    return _Refused(refusal._replace(lines=[*refusal.lines, allow]))


def _rendered(status: int, headers: dict[str, str], body: bytes) -> Answer:
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    return answers.whole(status, [(b"content-type", b"application/json"), *lines], body)
