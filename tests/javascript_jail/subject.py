"""Runs the attacks in one set-up and prints what each met: a process of its own, so that it can be any user's.

Arguments: a folder of that user's, and the layers to leave out.
"""

import asyncio
import json
import os
import socket
import sys
from pathlib import Path

import httpx

from services.executor.kernel.machines import ARCHITECTURES
from services.executor.modes.javascript.jail.jail import Jail
from tests.javascript_jail.deno import Cell, running

ATTACK = Path(__file__).with_name("attack.js")


async def main(folder: Path, without: tuple[str, ...]) -> None:
    jail = Jail(sandbox="weak", without=without)
    cell = Cell.under(folder, ATTACK.read_text())
    name = f"shoal-test-{os.getpid()}"
    unix = socket.AF_UNIX
    with socket.socket(unix) as abstract, socket.socket(unix) as others, socket.create_server(("127.0.0.1", 0)) as tcp:
        abstract.bind("\0" + name)
        abstract.listen(5)
        others.bind(str(folder / "others"))
        (folder / "others").chmod(0o777)
        others.listen(5)
        told = {
            "parent": os.getpid(),
            "folder": str(cell.own),
            "abstract": name,
            "numbers": ARCHITECTURES[os.uname().machine].numbers,
            "tcp": tcp.getsockname()[1],
        }
        async with running(jail, cell, json.dumps(told)) as program:
            if await program.line() != "listening\n":
                sys.exit(str(await program.end()))
            path = httpx.AsyncHTTPTransport(uds=str(cell.own / "socket"))
            async with httpx.AsyncClient(transport=path) as client:
                found = (await client.get("http://cell/")).json()
    await jail.close()
    print(json.dumps({"report": jail.report, "facts": found.pop("facts"), "found": found}))


asyncio.run(main(Path(sys.argv[1]), tuple(sys.argv[2:])))
