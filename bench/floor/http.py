"""The floor's HTTP side: one core, two shells (Litestar, plain ASGI), served by uvicorn."""

import argparse
import asyncio
import secrets
import socket
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import uvicorn
from litestar import Litestar, Response, post
from nats.aio.client import Client
from nats.aio.msg import Msg

from bench.floor.wire import Answer, Call, Command

WAIT_S = 30.0

encode = msgspec.json.Encoder().encode
decode_call = msgspec.json.Decoder(Call).decode
decode_answer = msgspec.json.Decoder(Answer).decode


class Door:
    """Publishes commands and wakes their callers."""

    def __init__(self, connection: Client) -> None:
        self._connection = connection
        self._jetstream = connection.jetstream()
        self._prefix = f"reply.{secrets.token_hex(4)}."
        self._waiting: dict[str, asyncio.Future[bytes]] = {}

    async def open(self) -> None:
        """Listen for answers: one subscription for all callers."""
        await self._connection.subscribe(
            self._prefix + "*", cb=self._answered, pending_msgs_limit=0, pending_bytes_limit=0
        )

    async def _answered(self, message: Msg) -> None:
        future = self._waiting.pop(message.subject[len(self._prefix) :], None)
        if future is not None and not future.done():
            future.set_result(message.data)

    async def invoke(self, function: str, call: Call) -> Answer:
        """The outcome, or PENDING for an asynchronous call, which ends when the command is on disk."""
        task_id = uuid.uuid4().hex
        reply_to = "" if call.asynchronous else self._prefix + task_id
        command = Command(
            task_id=task_id, function=function, params=call.params, accepted_at=time.time(), reply_to=reply_to
        )
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if reply_to:
            self._waiting[task_id] = future
        try:
            await self._jetstream.publish(f"in.bench.{function}", encode(command), headers={"Nats-Msg-Id": task_id})
            if not reply_to:
                return Answer(task_id=task_id, status="PENDING")
            async with asyncio.timeout(WAIT_S):
                return decode_answer(await future)
        finally:
            self._waiting.pop(task_id, None)


def litestar_app(door: Door) -> Litestar:
    """The door as a Litestar route."""

    @post("/api/functions/{slug:str}/execute", status_code=200)
    async def execute(slug: str, body: bytes) -> Response[bytes]:
        call = decode_call(body)  # as bytes: Litestar itself decodes in two steps, which msgspec.Raw does not survive
        answer = encode(await door.invoke(slug, call))
        return Response(answer, status_code=202 if call.asynchronous else 200, media_type="application/json")

    return Litestar([execute], openapi_config=None, logging_config=None)


def asgi_app(door: Door) -> Callable[..., Awaitable[None]]:
    """The door as a bare ASGI function."""

    async def app(
        scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        body = b""
        while True:
            event = await receive()
            body += event["body"]
            if not event.get("more_body"):
                break
        call = decode_call(body)
        answer = encode(await door.invoke(scope["path"].split("/")[3], call))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 202 if call.asynchronous else 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


async def serve(connection: Client, arguments: argparse.Namespace, ready: Callable[..., None]) -> None:
    """Serve until told to stop; `ready` gets the URL when the port is open."""
    door = Door(connection)
    await door.open()
    app: Any = litestar_app(door) if arguments.http == "litestar" else asgi_app(door)
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    ready(url=f"http://127.0.0.1:{listener.getsockname()[1]}")
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", ws="none", lifespan="off", access_log=False, log_level="warning"
    )
    await uvicorn.Server(config).serve(sockets=[listener])
