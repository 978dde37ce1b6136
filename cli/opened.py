"""The store of a Shoal, for commands that work on it directly: who can open it may do everything."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from shared.bus.broker import Bus
    from shared.bus.notices import FunctionChanged, IdentityChanged
    from shared.store.client import Store

_TELL_S = 5.0


class OpenError(Exception):
    """There is no store to open; the text is one line for the operator."""


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """Which Shoal is meant, and how to answer."""

    data_dir: Annotated[
        str, Parameter(help="folder of a running `shoal up` (SHOAL_DATA_DIR, default .shoal); else MONGODB_URL")
    ] = ""
    json: Annotated[bool, Parameter(negative="", help="answer in JSON, for programs")] = False


InTenant = Annotated[str, Parameter(help="the tenant: default unless given")]


class Opened:
    """An open store, and a word to the services that run on it."""

    def __init__(self, store: "Store", nats_url: str, *, place: str) -> None:
        self.store = store
        self.place = place
        self._nats_url = nats_url

    @asynccontextmanager
    async def bus(self) -> AsyncIterator["Bus"]:
        """The bus, for as long as the block runs. Raises OpenError where there is none."""
        from shared.bus import broker

        if not self._nats_url:
            raise OpenError("NATS_URL is not set")
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(_TELL_S):
                    connecting = broker.connect(self._nats_url, name="cli", timeout_s=_TELL_S)
                    bus = await stack.enter_async_context(connecting)
            except Exception as error:
                raise OpenError(f"the bus does not answer: {str(error) or type(error).__name__}") from error
            yield bus

    async def announce(self, *changes: "IdentityChanged | FunctionChanged") -> None:
        """Tell the running services what has changed; who is not told finds out when it asks again."""
        from shared.bus import broker, subjects
        from shared.bus.notices import FunctionChanged

        try:
            async with asyncio.timeout(_TELL_S):
                if not self._nats_url:
                    raise OSError("NATS_URL is not set")
                async with broker.connect(self._nats_url, name="cli", timeout_s=_TELL_S) as bus:
                    for change in changes:
                        if isinstance(change, FunctionChanged):
                            await bus.send(subjects.changed(change.tenant, change.function), change)
                        else:
                            await bus.send(subjects.identity(change.tenant), change)
        except Exception as error:  # noqa: BLE001 - the change is made; that it was not told is all there is to say
            why = str(error) or "the bus does not answer"
            print(f"shoal: done, but running services learn of it only within 30 s: {why}", file=sys.stderr)


def run(where: Where, work: Callable[[Opened], Awaitable[int | None]], *, failed: int = 1) -> int:
    """Do the work on the store; the exit code: what the work says, `failed` where it could not be done.

    What the user has to put right is one line on stderr.
    """
    from shared.domain.problem import Problem

    async def doing() -> int:
        async with _opened(where) as opened:
            return await work(opened) or 0

    try:
        return asyncio.run(doing())
    except (OpenError, Problem) as error:
        print(f"shoal: {error}", file=sys.stderr)
        return failed
    except KeyboardInterrupt:
        return 130


@asynccontextmanager
async def _opened(where: Where) -> AsyncIterator[Opened]:
    from shared.store import indexes
    from shared.store.client import Store

    mongodb_url, nats_url, source = _addresses(where)
    store = Store(mongodb_url, database=os.environ.get("SHOAL_MONGODB_DATABASE") or "shoal")
    try:
        await indexes.ensure(store)  # names are unique by an index: it may be that no service ran here yet
        yield Opened(store, nats_url, place=f"the store at {_hosts(mongodb_url)} ({source})")
    finally:
        store.close()


def _hosts(mongodb_url: str) -> str:
    """Of an address without its user and password."""
    return mongodb_url.partition("://")[2].partition("/")[0].rpartition("@")[2]


def _addresses(where: Where) -> tuple[str, str, str]:
    """Of the store and the bus, and who names them.

    A folder that is named goes before the environment, that before the usual folder.
    """
    if not where.data_dir and os.environ.get("MONGODB_URL"):
        return os.environ["MONGODB_URL"], os.environ.get("NATS_URL", ""), "MONGODB_URL"
    folder = Path(where.data_dir or os.environ.get("SHOAL_DATA_DIR") or ".shoal").absolute()
    try:
        facts = json.loads((folder / "ready.json").read_text())
    except (OSError, ValueError):
        message = f"nothing runs on data folder {folder}: start `shoal up`, name its --data-dir, or set MONGODB_URL"
        raise OpenError(message) from None
    return str(facts["mongodb"]), str(facts["nats"]), str(folder)
