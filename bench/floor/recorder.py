"""Recorder: events become documents, many at a time; a repeat meets its own key and changes nothing."""

import argparse
import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from nats.aio.client import Client
from nats.aio.msg import Msg
from pymongo import InsertOne
from pymongo.errors import BulkWriteError

from bench.floor.pull import standing_pull
from bench.floor.wire import COLLECTION, DATABASE, EVENTS, Finished

LINGER_S = 0.005
BATCH = 1000
DUPLICATE_KEY = 11000

decode_finished = msgspec.json.Decoder(Finished).decode


async def serve(connection: Client, arguments: argparse.Namespace, ready: Callable[..., None]) -> None:
    """Write for ever."""
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(arguments.mongodb, w="majority", journal=True)
    waiting: list[Msg] = []
    some = asyncio.Event()

    def take(message: Msg) -> None:
        waiting.append(message)
        some.set()

    await standing_pull(connection, EVENTS, "recorder", take=take, batch=4 * BATCH)
    ready()
    while True:
        await some.wait()
        if len(waiting) < BATCH:
            await asyncio.sleep(LINGER_S)  # let the batch grow: one write of many is far cheaper than many writes
        batch = waiting[:BATCH]
        del waiting[:BATCH]
        if not waiting:
            some.clear()
        await write(client[DATABASE][COLLECTION], batch)
        await batch[-1].ack()


async def write(collection: AsyncIOMotorCollection[dict[str, Any]], batch: list[Msg]) -> None:
    """One unordered bulk write of the batch."""
    rows = []
    for message in batch:
        row = msgspec.structs.asdict(decode_finished(message.data))
        rows.append(InsertOne({"_id": row.pop("task_id"), **row}))
    try:
        await collection.bulk_write(rows, ordered=False)
    except BulkWriteError as error:
        if any(one["code"] != DUPLICATE_KEY for one in error.details["writeErrors"]):
            raise
