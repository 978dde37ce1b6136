"""Looking at a source without running it: its syntax, what it imports, whether it exports a handler.

Deno's own tools look, in the jail and with nothing there but the source, for they follow what it imports. What they
print is believed only as far as it has the form expected, for the source may have been made to break them.
"""

import asyncio
import base64
import json
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from services.executor.mode import Artefact, Refusal, Unavailable
from services.executor.modes.javascript import deno
from services.executor.modes.javascript.folder import Place
from services.executor.modes.javascript.settings import JavascriptSettings
from services.executor.modes.javascript.starting import Starter
from shared.domain.version import CompileError

NO_HANDLER = "Function must export a handler function"

_MOST_PRINTED = 16 << 20
_MOST_ERRORS = 20
_MOST_SAID = 300
_WHERE = re.compile(r" at file:///\S+?:(\d+):(\d+)")
_MAP = b"//# sourceMappingURL=data:application/json;base64,"


class _Found(NamedTuple):
    """What Deno says of a source in one of the two languages."""

    errors: list[CompileError]
    is_code: bool  # as far as the syntax goes


class Checker:
    """Checks sources, a few at a time."""

    def __init__(self, starter: Starter, settings: JavascriptSettings) -> None:
        self._starter = starter
        self._settings = settings
        self._slots = asyncio.Semaphore(settings.prepare_slots)

    async def prepare(self, source: str) -> Artefact | Refusal:
        """The module to run, in JavaScript, or what is wrong with the source. Raises Unavailable."""
        try:
            encoded = source.encode("utf-8")
        except UnicodeEncodeError:
            return refusal("The source holds characters that UTF-8 does not have.")
        if len(encoded) > self._settings.max_source_bytes:
            return refusal(f"The source is over the limit of {self._settings.max_source_bytes} bytes.")
        async with self._slots:
            try:
                async with asyncio.timeout(self._settings.prepare_timeout_s):
                    return await self._look(encoded)
            except TimeoutError:
                return refusal(f"The code took longer than {self._settings.prepare_timeout_s:g} s to check.")
            except _TroubleError:
                return refusal("The code ended its checker; is it nested too deeply, or too long?")

    async def _look(self, source: bytes) -> Artefact | Refusal:
        folder = await self._starter.folder()
        place = folder.place(source)
        try:
            found = await self._info(place)
            if not found.is_code:  # it may be TypeScript, and then its errors are those of TypeScript
                place = place._replace(main=place.main.rename(place.folder / "index.ts"))
                found = await self._info(place)
            if found.errors:
                return Refusal(found.errors)
            if not await self._exports_default(place):
                return refusal(NO_HANDLER)
            code = source if place.main.suffix == ".js" else await self._transpiled(place)
            return Artefact(deno.compiler(), code)
        finally:
            folder.leave(place)

    async def _info(self, place: Place) -> _Found:
        main = place.main
        told = await self._json(place, "info", "--json", str(main))
        module = next((each for each in told.get("modules", ()) if each.get("specifier") == main.as_uri()), None)
        if module is None:
            raise _TroubleError
        if "error" in module:
            return _Found([_syntax_error(str(module["error"]))], is_code=False)
        imports = [each for each in module.get("dependencies", ()) if not str(each["specifier"]).startswith("node:")]
        return _Found([_import_error(each) for each in imports[:_MOST_ERRORS]], is_code=True)

    async def _exports_default(self, place: Place) -> bool:
        told = await self._json(place, "doc", "--json", str(place.main))
        symbols = told.get("nodes", {}).get(place.main.as_uri(), {}).get("symbols", ())
        return any(symbol.get("isDefault") for symbol in symbols)

    async def _transpiled(self, place: Place) -> bytes:
        """As JavaScript, with the map by which V8 tells the lines of the TypeScript."""
        made = place.folder / "made.js"
        await self._tool(place, "transpile", "--source-map", "inline", "-o", str(made), str(place.main))
        try:
            return _with_short_map(_content(made))
        except OSError as error:
            raise _TroubleError from error

    async def _json(self, place: Place, tool: str, *arguments: str) -> dict[str, Any]:
        try:
            told = json.loads(await self._tool(place, tool, *arguments))
        except (ValueError, RecursionError) as error:
            raise _TroubleError from error
        if not isinstance(told, dict):
            raise _TroubleError
        return told

    async def _tool(self, place: Place, tool: str, *arguments: str) -> bytes:
        """What one of Deno's tools prints, within bounds. Raises _TroubleError, Unavailable."""
        printed = os.memfd_create("printed", os.MFD_CLOEXEC)
        try:
            running = await self._starter.tool(tool, *arguments, place=place, stdout=printed, most_bytes=_MOST_PRINTED)
            try:
                await asyncio.shield(running.exited)
            finally:
                running.kill()
            return os.pread(printed, _MOST_PRINTED, 0)
        except OSError as error:
            raise Unavailable(f"Deno does not start: {error}") from error
        finally:
            os.close(printed)


class _TroubleError(Exception):
    """The tool has not said what it says of any source."""


def _content(path: Path) -> bytes:
    """Of a file that may have been replaced by a link out of its folder. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return os.pread(fd, _MOST_PRINTED, 0)
    finally:
        os.close(fd)


def refusal(message: str) -> Refusal:
    """One reason, of no line."""
    return Refusal([CompileError(0, message)])


def _syntax_error(error: str) -> CompileError:
    where = _WHERE.search(error)
    sentence = error.partition("\n")[0][:_MOST_SAID]
    if where is None:
        return CompileError(0, sentence)
    return CompileError(int(where[1]), f"{sentence} (column {where[2]})")


def _import_error(dependency: dict[str, Any]) -> CompileError:
    specifier = str(dependency["specifier"])[:_MOST_SAID]
    line = 0
    with suppress(KeyError, TypeError, ValueError):
        line = int((dependency.get("code") or dependency["type"])["span"]["start"]["line"]) + 1
    if specifier.startswith("."):
        why = "a function is one file: relative imports are not available"
    else:
        why = "only Node's own modules can be imported, as 'node:crypto'; bundle what else is needed"
    return CompileError(line, f"cannot import '{specifier}': {why}")


def _with_short_map(code: bytes) -> bytes:
    """The map without a second copy of the source, and by the name that the source goes by in a trace."""
    head, found, encoded = code.rpartition(_MAP)
    if not found:
        return code
    try:
        mapping = json.loads(base64.b64decode(encoded))
        mapping.pop("sourcesContent", None)
        mapping["sources"] = ["index.ts"]
    except (ValueError, TypeError, AttributeError):
        return code
    return head + _MAP + base64.b64encode(json.dumps(mapping).encode())
