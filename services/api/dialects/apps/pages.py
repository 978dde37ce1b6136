"""Pages of other origins at the management of an app: by the same `allowed_origins` as at its functions."""

from collections.abc import Awaitable, Callable
from typing import Any

from shared import cors
from shared import request_head as heads
from shared.app_directory import AppDirectory
from shared.callers.addressed import addressed_app
from shared.callers.auth import Auth
from shared.callers.edge import Edge
from shared.domain.app import App
from shared.domain.problem import Problem
from shared.exchange import Line, Receive, Scope, Send

Framework = Callable[[Any, Any, Any], Awaitable[None]]

_FAMILY = "/v1/"
_APP = 2  # the segment of a path that names the app


class Pages:
    """An application in front of another one: asks for nothing unless a browser says that a page asks."""

    def __init__(self, framework: Framework, auth: Auth, edge: Edge, apps: AppDirectory) -> None:
        self._framework = framework
        self._auth = auth
        self._edge = edge
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what the browser asks beforehand; else pass on, and say who may read the answer."""
        if not scope["path"].startswith(_FAMILY) or not any(name == b"origin" for name, _ in scope["headers"]):
            await self._framework(scope, receive, send)
            return
        try:
            sent = heads.sent(scope["headers"])
            app = await self._app(scope["path"].split("/")[_APP], sent)
        except Problem:
            app = None  # the framework says what is wrong
        if app is None:
            await self._framework(scope, receive, send)
        elif scope["method"] == "OPTIONS" and sent.preflight:
            lines = cors.preflight(app, sent.origin, wanted=sent.wanted, methods=())
            await send({"type": "http.response.start", "status": 204, "headers": lines})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._framework(scope, receive, _beside(send, cors.lines(app, sent.origin)))

    async def _app(self, named: str, sent: heads.Sent) -> App | None:
        caller = await self._edge.caller(sent.token)
        return await addressed_app(self._apps, self._auth, named, host=sent.host, caller=caller)


def _beside(send: Send, lines: list[Line]) -> Send:
    async def sending(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", ()))
            message = {**message, "headers": [*own, *cors.beside(own, lines)]}
        await send(message)

    return sending
