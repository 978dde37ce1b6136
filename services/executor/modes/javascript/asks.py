"""What a function asks the platform while it runs: the lines of its worker's stream of control, and their answers."""

import asyncio
import base64
import binascii
from collections.abc import Callable
from typing import Literal

import msgspec

from services.executor.mode import Call
from services.executor.modes.javascript import wire
from services.executor.modes.javascript.exchange import BrokenError, Exchange
from services.executor.modes.javascript.lines import Lines
from shared.domain.outcome import NULL
from shared.domain.problem import Problem
from shared.domain.request import Header, Request

_INTERNAL = "http://function.internal"
_MOST_SAID = 1000  # characters of why something was refused
_MOST_KEY = 255
_UNTAKEN = "the answers that the function has not taken yet leave no room for another one"
_MOST_TTL_S = 30 * 86_400.0
_LINE_BYTES = 256 << 10  # of one line, beside twice the body that it may carry: BASE64 has a third more


class Ask(msgspec.Struct, frozen=True):
    """A line: that the code is loaded, or why it is not, or something that is asked."""

    ready: bool = False
    name: str = ""
    message: str = ""
    stack: str = ""
    id: int = 0
    req: str = ""
    op: Literal["", "invoke", "claim", "publish"] = ""
    method: str = "POST"
    path: str = "/"
    query: str = ""
    headers: list[Header] = []
    body: str = ""
    key: str = ""
    scope: str = "default"
    ttl_s: float = 0.0
    channel: str = ""
    event: str = ""


_decoder = msgspec.json.Decoder(Ask)


class Asks:
    """Serves one worker, which has one call at a time; `reply` sends it a request, if there is room."""

    def __init__(self, *, most: int, reply: Callable[[bytes], bool]) -> None:
        self.ready: asyncio.Future[Ask] = asyncio.get_running_loop().create_future()
        self.call: Call | None = None
        self.answered = False  # the call has its outcome, and only waits for what it has given to waitUntil
        self._most = most
        self._reply = reply
        self._serving: set[asyncio.Task[None]] = set()
        self._lines = Lines()

    def feed(self, data: bytes) -> None:
        """Take in a part of the stream. Raises BrokenError."""
        params_bytes = self.call.limits.params_bytes if self.call else 0
        lines = self._lines.feed(data)
        if max(map(len, [*lines, self._lines.rest])) > _LINE_BYTES + 2 * params_bytes:
            raise BrokenError("a line of control over its limit")
        for line in lines:
            try:
                self._serve(_decoder.decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise BrokenError(f"a line of control: {error}") from error

    def cancel(self) -> None:
        """Nobody waits for answers any more."""
        for serving in self._serving:
            serving.cancel()

    def _serve(self, ask: Ask) -> None:
        if ask.ready and not self.ready.done():
            self.ready.set_result(ask)
            return
        call = self.call
        if call is None or ask.req != call.task_id or not ask.op:
            return  # of a call that is over
        if len(self._serving) >= self._most:
            self._reply(wire.refusal_of(ask.id, "TooManyAsks", f"more than {self._most} at one time"))
            return
        serving = asyncio.create_task(self._answer(call, ask))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _answer(self, call: Call, ask: Ask) -> None:
        try:
            told = await self._told(call, ask)
        except Problem as problem:
            told = wire.refusal_of(ask.id, problem.code, problem.message[:_MOST_SAID])
        except ValueError as error:
            told = wire.refusal_of(ask.id, "TypeError", str(error)[:_MOST_SAID])
        if self.call is call and not self._reply(told):
            self._reply(wire.refusal_of(ask.id, "TooManyAnswers", _UNTAKEN))

    async def _told(self, call: Call, ask: Ask) -> bytes:
        match ask.op:
            case "claim":
                return await _claim(call, ask)
            case "publish":
                return await _publish(call, ask)
        return await self._invoke(call, ask)

    async def _invoke(self, call: Call, ask: Ask) -> bytes:
        if call.host is None or self.answered:
            raise ValueError("a call that has been answered cannot invoke a function")
        try:
            body = base64.b64decode(ask.body, validate=True)
        except binascii.Error as error:
            raise ValueError("the body of ctx.invoke is broken") from error
        if len(body) > call.limits.params_bytes:
            raise ValueError(f"the body has more than {call.limits.params_bytes} bytes")
        url = f"{_INTERNAL}/{ask.path.lstrip('/')}"
        request = Request(
            method=ask.method, url=url, path=ask.path, query=ask.query, headers=wire.checked(ask.headers), body=body
        )
        outcome = await call.host.invoke(ask.name, request)
        if outcome.status != "SUCCESS":
            return wire.refusal_of(ask.id, outcome.error_type, outcome.error[:_MOST_SAID])
        if outcome.response is None:
            headers = [("content-type", "application/json")]
            return wire.reply_of(ask.id, headers=headers, body=bytes(outcome.result or NULL))
        response = outcome.response
        if wire.size_of(response.headers) > wire.HEAD_BYTES:
            raise ValueError(f"the answer's header lines have more than {wire.HEAD_BYTES} bytes")
        return wire.reply_of(ask.id, status=response.status, headers=response.headers, body=response.body)


async def _claim(call: Call, ask: Ask) -> bytes:
    if call.host is None:
        raise ValueError("claims are not kept here")
    if not 0 < len(ask.key) <= _MOST_KEY or len(ask.scope) > _MOST_KEY or not 0 < ask.ttl_s <= _MOST_TTL_S:
        raise ValueError(f"a claim has a key of 1 to {_MOST_KEY} characters, and up to {_MOST_TTL_S:g} ttlSeconds")
    first = await call.host.claim(ask.key, scope=ask.scope, ttl_s=ask.ttl_s)
    return wire.reply_of(ask.id, body=b"true" if first else b"false")


async def _publish(call: Call, ask: Ask) -> bytes:
    if call.host is None:
        raise ValueError("nothing can be published here")
    await call.host.publish(ask.channel, ask.body.encode(), event=ask.event)
    return wire.reply_of(ask.id, body=NULL)


def stream_of(header_bytes: int) -> Exchange:
    """The answer that never ends, in which a worker asks."""
    return Exchange(most_bytes=1 << 20, header_bytes=header_bytes, flows=lambda _: True)
