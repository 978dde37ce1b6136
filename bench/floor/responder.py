"""Responder: work is done, the caller answered, the event on disk, and then the work acknowledged."""

import argparse
import time
from collections.abc import Callable

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from bench.floor.pull import Side, standing_pull
from bench.floor.wire import WORK, Answer, Command, Finished, Params

encode = msgspec.json.Encoder().encode
decode_command = msgspec.json.Decoder(Command).decode
decode_params = msgspec.json.Decoder(Params).decode


async def serve(connection: Client, _: argparse.Namespace, ready: Callable[..., None]) -> None:
    """Set up the pull; it runs on by itself."""
    jetstream = connection.jetstream()

    async def respond(message: Msg) -> None:
        command = decode_command(message.data)
        result = calculate_tax(decode_params(command.params))
        if command.reply_to:
            answer = Answer(task_id=command.task_id, status="SUCCESS", result=result)
            await connection.publish(command.reply_to, encode(answer))
        event = Finished(
            task_id=command.task_id,
            function=command.function,
            status="SUCCESS",
            result=result,
            accepted_at=command.accepted_at,
            routed_at=command.routed_at,
            done_at=time.time(),
        )
        await jetstream.publish("events.finished", encode(event))
        await message.ack()

    await standing_pull(connection, WORK, "responder", take=Side(respond).take)
    ready()


def calculate_tax(params: Params) -> dict[str, float]:
    """The first seed's function, in plain Python."""
    tax = params.amount * params.rate
    return {"amount": params.amount, "tax": tax, "total": params.amount + tax}
