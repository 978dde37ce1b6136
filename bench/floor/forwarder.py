"""Forwarder: commands become work; a command is acknowledged when its work is on disk."""

import argparse
import time
from collections.abc import Callable

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from bench.floor.pull import Side, standing_pull
from bench.floor.wire import IN, Command

encode = msgspec.json.Encoder().encode
decode_command = msgspec.json.Decoder(Command).decode


async def serve(connection: Client, _: argparse.Namespace, ready: Callable[..., None]) -> None:
    """Set up the pull; it runs on by itself."""
    jetstream = connection.jetstream()

    async def forward(message: Msg) -> None:
        command = msgspec.structs.replace(decode_command(message.data), routed_at=time.time())
        await jetstream.publish("work.python", encode(command))
        await message.ack()

    await standing_pull(connection, IN, "forwarder", take=Side(forward).take)
    ready()
