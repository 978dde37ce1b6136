"""A version of code on its way to the function that is to name it, whoever else writes that function meanwhile."""

from datetime import UTC, datetime

from shared.domain.caller import Caller
from shared.domain.function import ActiveVersion, Function
from shared.domain.version import CodeVersion
from shared.store import functions, versions
from shared.store.client import Store


class Writing:
    """One change of a function's code: the id of the function and the version, made anew as races are lost.

    `message` is what is said of the version. Whoever begins one ends it with `tidy`.
    """

    def __init__(self, store: Store, caller: Caller, digest: str, *, message: str = "") -> None:
        self.caller = caller
        self.function_id = 0
        self._digest = digest
        self._message = message
        self._store = store
        self._versions = versions.Versions(store, caller.tenant)
        self._fresh = 0
        self._made: CodeVersion | None = None
        self._used = False

    async def active(self, latest: Function | None) -> ActiveVersion:
        """The version to be active: the one that is, where it has this very code, else a new one."""
        if latest is None:
            self._fresh = self._fresh or await functions.Functions(self._store, self.caller.tenant).next_id()
        self.function_id = self._fresh if latest is None else latest.id
        if latest is not None and latest.active is not None and latest.active.code_hash == self._digest:
            self._used = False
            return latest.active
        if self._made is None or self._made.function_id != self.function_id:
            await self._drop()
            self._made = await self._version()
        self._used = True
        return ActiveVersion(id=self._made.id, version=self._made.version, code_hash=self._digest)

    def lost(self) -> None:
        """The function was not written: nothing names the version yet."""
        self._used = False

    async def tidy(self) -> None:
        """Remove the version that was made for nothing; not one that may be named, for all we know."""
        if not self._used:
            await self._drop()

    async def _drop(self) -> None:
        if self._made is not None:
            await self._versions.drop(self._made.id)
            self._made = None

    async def _version(self) -> CodeVersion:
        id, function_id = await self._versions.next_id(), self.function_id
        version = version_of(self.caller, self._digest, id=id, function_id=function_id, message=self._message)
        await self._versions.insert(version)
        return version


def version_of(caller: Caller, digest: str, *, id: int, function_id: int, message: str = "") -> CodeVersion:
    """A version that is named by the moment and its number."""
    now = datetime.now(UTC)
    return CodeVersion(
        id=id,
        tenant=caller.tenant,
        function_id=function_id,
        version=f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z-{id}",
        code_hash=digest,
        created_at=now,
        created_by=caller.user.id,
        created_by_username=caller.user.username,
        message=message,
    )
