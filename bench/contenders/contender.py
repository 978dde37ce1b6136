"""What a measurement can ask of a contender."""

from pathlib import Path
from typing import Protocol

import msgspec

from bench import tax
from bench.processes import output, python
from bench.procfs import Processes
from bench.sample import Sample


class Contender(Protocol):
    """A running system that executes the tax function."""

    name: str

    def processes(self) -> Processes:
        """Its processes by label, as they are now."""
        ...

    async def load(self, *, in_flight: int, seconds: float, warm_s: float) -> Sample:
        """Keep so many calls in flight, each waiting for its result."""
        ...


class HttpTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where the load client sends its calls."""

    url: str
    token: str = "none"

    async def load(self, *, in_flight: int, seconds: float, warm_s: float) -> Sample:
        """Synchronous calls for so many seconds."""
        timing = ("--seconds", str(seconds), "--warm", str(warm_s))
        return await self.run("--in-flight", str(in_flight), *timing, "--body", tax.BODY, "--expect", tax.EXPECT)

    async def submit(self, *, in_flight: int, count: int, ids: Path) -> Sample:
        """`count` asynchronous calls; their task ids go to the file `ids`, one a line."""
        ending = ("--count", str(count), "--ids", str(ids), "--status", "202")
        return await self.run("--in-flight", str(in_flight), *ending, "--body", tax.ASYNC_BODY, "--expect", "task_id")

    async def run(self, *arguments: str) -> Sample:
        """The load client with these arguments."""
        command = python("bench.load", "--url", self.url, "--token", self.token, *arguments)
        return msgspec.json.decode(await output(command, timeout_s=900.0), type=Sample)
