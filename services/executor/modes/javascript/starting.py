"""From a function's code to a worker that listens."""

import asyncio
import os
import resource
from pathlib import Path
from typing import Any

from services.executor.mode import Unavailable
from services.executor.modes.javascript import caches, deno
from services.executor.modes.javascript.bounding import bound
from services.executor.modes.javascript.egress.guard import Guard
from services.executor.modes.javascript.egress.passes import Pass
from services.executor.modes.javascript.folder import Folder, Place
from services.executor.modes.javascript.jail.jail import Jail
from services.executor.modes.javascript.jail.launched import Launched
from services.executor.modes.javascript.link import WorkerLink
from services.executor.modes.javascript.settings import JavascriptSettings
from services.executor.modes.javascript.versions import Whose
from shared.config import Platform
from shared.domain.egress_policy import Policy

# A module that does what most functions do, so that what Deno compiles for it is compiled already.
_WARMUP = b"""
export default async (request) => {
  console.log("%s", { url: request.url });
  setTimeout(() => Deno.exit(0), 20);
  return Response.json({});
};
console.log("%o", new URL("http://a/?b"), new Headers(), new TextEncoder().encode("a"));
await crypto.subtle.digest("SHA-256", new Uint8Array(1));
await new Response("a").text();
await fetch("data:,").catch(String);
"""
_WARMUP_MB = 64
_CACHE_BYTES = 16 << 20  # of each file of Deno's caches, while a worker loads its code
# What a process takes of data beside its function's memory: threads that start late, and their stacks.
_MARGIN_BYTES = 32 << 20
_ENVIRONMENT = {"NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1"}


class Starter:
    """Starts workers. Nothing is made, and no process started, before the first one is wanted."""

    def __init__(self, binary: Path, settings: JavascriptSettings, platform: Platform) -> None:
        self._platform = platform
        self._guard: Guard | None = None
        self._binary = binary
        self._settings = settings
        self._jail = Jail(sandbox=settings.sandbox, without=settings.without)
        self._folder: Folder | None = None
        self._opening = asyncio.Lock()

    async def folder(self) -> Folder:
        """The mode's folder, with warm caches. Raises Unavailable."""
        async with self._opening:
            if self._folder is None:
                folder = Folder(compiled_bytes=self._settings.compiled_bytes)
                try:
                    await self._warm(folder)
                except BaseException:
                    folder.remove()
                    raise
                self._folder = folder
        return self._folder

    async def start(self, code: bytes, whose: Whose, *, memory_mb: int, egress: Policy, name: str) -> WorkerLink:
        """A worker that listens, and has not looked at its code yet. `name` is the function's. Raises Unavailable."""
        folder = await self.folder()
        place = folder.place_of(whose, code)
        if egress.reach == "none":
            return await self._start(folder, place, memory_mb=memory_mb)
        if self._guard is None:
            self._guard = Guard(self._platform, own_networks=self._jail.has_networks)
        way = await self._guard.open(egress, function=f"{whose.tenant}/{name}")
        try:
            return await self._start(folder, place, memory_mb=memory_mb, way=way)
        except BaseException:
            way.close()
            raise

    async def tool(self, tool: str, *arguments: str, place: Place, stdout: int, most_bytes: int) -> Launched:
        """Start one of Deno's tools, which reads its own folder and nothing else. Raises OSError, Unavailable."""
        folder = await self.folder()
        trouble = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            return await self._jail.launch(
                [str(self._binary), *deno.tool_arguments(tool, *arguments)],
                environment=self._environment(folder.cache),
                stderr=trouble,
                stdout=stdout,
                readable=[folder.cache],
                writable=[place.folder],
                cwd=place.folder,
                file_bytes=most_bytes,
                data_bytes=self._settings.prepare_memory_mb << 20,
            )
        finally:
            os.close(trouble)

    async def close(self) -> None:
        """End every process, and leave nothing behind."""
        await self._jail.close()
        if self._guard is not None:
            await self._guard.close()
        if self._folder is not None:
            self._folder.remove()

    def report(self) -> dict[str, Any]:
        """What stands between a function and the machine, and what went through the guard."""
        guard = {"guard": self._guard.facts()} if self._guard else {}
        return {"deno": "no permissions", **self._jail.report, **guard}

    def _environment(self, cache: Path) -> dict[str, str]:
        """Of every process: nothing of this one's."""
        return {**_ENVIRONMENT, "DENO_DIR": str(cache)}

    async def _start(
        self, folder: Folder, place: Place, *, memory_mb: int, way: Pass | None = None, warming: bool = False
    ) -> WorkerLink:
        cache = folder.cache if warming else place.cache
        read, write = os.pipe2(os.O_CLOEXEC)
        arguments = deno.host_arguments(
            folder.host,
            main=place.main,
            socket=place.socket,
            memory_mb=memory_mb,
            net=way.permissions(place.socket) if way else (),
            reaches=way is not None,
        )
        try:
            launched = await self._jail.launch(
                [str(self._binary), *arguments],
                environment={**self._environment(cache), **(way.environment if way else {})},
                stderr=write,
                readable=[
                    folder.host,
                    cache,
                    *([place.version.main] if place.version else ()),
                    *(way.readable if way else ()),
                ],
                writable=[place.folder, *([cache] if warming else _copies(folder, place))],
                cwd=place.folder,
                file_bytes=_CACHE_BYTES,
                door=way,
            )
            link = WorkerLink(
                launched,
                read,
                place=place,
                leave=folder.leave,
                header_bytes=self._settings.header_bytes,
                most_asks=self._settings.most_asks,
            )
        except BaseException as error:
            os.close(read)
            folder.leave(place)
            if isinstance(error, OSError):
                raise Unavailable(f"Deno does not start: {error}") from error
            raise
        finally:
            os.close(write)
        try:
            async with asyncio.timeout(self._settings.launch_timeout_s):
                await link.connect()
                if not warming:
                    most_bytes = link.data_bytes + (memory_mb << 20) + _MARGIN_BYTES
                    bound(launched, {resource.RLIMIT_DATA: most_bytes})
        except (OSError, TimeoutError) as error:
            told = link.log.tail.decode("utf-8", "replace").strip()[-200:]
            link.end("died")
            raise Unavailable(f"Deno does not start: {told or error}") from error
        except BaseException:
            link.end("cancelled")
            raise
        return link

    async def _warm(self, folder: Folder) -> None:
        """Have Deno fill its caches, once, with code of ours; then they are read only."""
        place = folder.place(_WARMUP)
        link = await self._start(folder, place, memory_mb=_WARMUP_MB, warming=True)
        try:
            async with asyncio.timeout(self._settings.launch_timeout_s):
                await link.warm()
                await link.exited
        except TimeoutError as error:
            raise Unavailable("Deno does not start: its caches are not made in time") from error
        finally:
            link.end("unused")
        folder.fix_cache()


def _copies(folder: Folder, place: Place) -> list[Path]:
    return caches.copy(folder.cache, place.cache, own=place.version.own if place.version else None)
