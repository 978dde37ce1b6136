"""One process of the floor: `python -m bench.floor ROLE --nats URL`, the role being a file of this folder."""

import argparse
import asyncio
import importlib
import json
import signal

import nats
import uvloop

ROLES = ("http", "forwarder", "responder", "recorder")


def ready(**facts: str) -> None:
    """Tell the benchmark that this process can be used."""
    print(json.dumps(facts), flush=True)


async def run(arguments: argparse.Namespace) -> None:
    """Connect, do the role until SIGTERM, disconnect. A role that only sets up its pulls returns at once."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    module = importlib.import_module(f"bench.floor.{arguments.role}")
    connection = await nats.connect(arguments.nats, name=f"floor-{arguments.role}")
    role = asyncio.create_task(module.serve(connection, arguments, ready))
    role.add_done_callback(lambda task: stop.set() if not task.cancelled() and task.exception() else None)
    try:
        await stop.wait()
    finally:
        role.cancel()
        await connection.close()
    if role.done() and not role.cancelled():
        role.result()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.floor")
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("--nats", required=True)
    parser.add_argument("--mongodb", default="")
    parser.add_argument("--http", choices=("litestar", "asgi"), default="litestar")
    uvloop.run(run(parser.parse_args()))
