"""Sources on their way into the store: bounded, compiled, and kept as long as a version names them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from shared.bus import subjects
from shared.bus.broker import Bus
from shared.bus.notices import Compile, Compiled
from shared.domain.problem import Problem
from shared.domain.version import NOT_STORED, code_hash
from shared.store.client import Store
from shared.store.versions import Versions

_TRIES = 5  # each is lost only to a deletion of the same code in the same moment

Found = TypeVar("Found")


class Sources:
    """What has sources compiled. `code_bytes` bounds one, `wait_s` how long an executor may take to check it."""

    def __init__(self, bus: Bus, store: Store, *, code_bytes: int, wait_s: float) -> None:
        self._bus = bus
        self._store = store
        self._code_bytes = code_bytes
        self._wait_s = wait_s

    @asynccontextmanager
    async def compiled(self, tenant: str, pool: str, code: str) -> AsyncIterator[str]:
        """The hash of a source, stored and compiled, for a block that lets a version name it; else it is not kept.

        Raises Problem(invalid, too_large, unavailable).
        """
        size = len(code.encode())
        if size > self._code_bytes:
            message = f"code is {size} bytes; the limit is {self._code_bytes} bytes"
            raise Problem("too_large", message, {"code": message})
        digest, stored = code_hash(code), Versions(self._store, tenant)
        await stored.keep_source(digest, code)
        try:
            await self.held(tenant, code, lambda: self.check(tenant, pool, digest))
            yield digest
            await stored.keep_source(digest, code)  # a deletion beside us may have taken it for nobody's
            await stored.drop_sources([digest])  # or may have taken the version, too
        except BaseException:
            with suppress(Problem):  # what went wrong first is what the caller is told
                await stored.drop_sources([digest])
            raise

    async def held(self, tenant: str, code: str, look: Callable[[], Awaitable[Found]]) -> Found:
        """What a look at a stored source finds; anew where it was gone, for a deletion beside us took it for nobody's.

        Raises what the look raises.
        """
        digest, stored = code_hash(code), Versions(self._store, tenant)
        for _ in range(_TRIES):
            try:
                return await look()
            except Problem as problem:
                if NOT_STORED not in problem.message:
                    raise
                await stored.keep_source(digest, code)
        return await look()

    async def check(self, tenant: str, pool: str, digest: str) -> None:
        """Have an executor compile a stored source. Raises Problem(invalid, unavailable)."""
        compiled = await self._bus.ask(
            subjects.compile_code(pool),
            Compile(tenant=tenant, code_hash=digest),
            answer=Compiled,
            timeout_s=self._wait_s,
        )
        if compiled.unavailable:
            raise Problem("unavailable", f"The code could not be checked: {compiled.unavailable}")
        if compiled.errors:
            faults = [str(error) for error in compiled.errors]
            raise Problem("invalid", f"Code was refused: {'; '.join(faults)}", {"code": "\n".join(faults)})
