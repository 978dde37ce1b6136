"""The jail: programs that are not to be trusted, started with nothing but what they were given."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from services.executor.mode import Unavailable
from services.executor.modes.javascript.jail.launched import Launched
from services.executor.modes.javascript.jail.link import KeeperLink
from services.executor.modes.javascript.jail.orders import Order
from shared import telemetry

_START_S = 10.0  # of the keeper, and of one program
_ESSENTIAL = ("seccomp", "rlimits")

_log = telemetry.logger("jail")


class Door(Protocol):
    """The only way to a network that a program has: a TCP port, and who answers there."""

    port: int

    async def lead(self, launched: Launched) -> None:
        """The program has started, and may connect. Raises OSError."""
        ...


class Jail:
    """Starts programs through a keeper, which starts with the first and is replaced when it is gone.

    `sandbox` set to `weak` starts programs even where the kernel does not confine them. `without` names layers that are
    left out: namespaces (and with them network), network, uid, landlock, rlimits, seccomp.
    """

    def __init__(self, *, sandbox: Literal["auto", "weak"] = "auto", without: Sequence[str] = ()) -> None:
        self._sandbox = sandbox
        self._without = tuple(without)
        self._starting = asyncio.Lock()
        self._keeper: KeeperLink | None = None
        self._closed = False
        self.report: dict[str, str] = {}

    @property
    def has_networks(self) -> bool:
        """Whether a program can have a network of its own; it is known once the jail has started."""
        return self.report.get("network") == "on"

    async def start(self) -> None:
        """Start the keeper, unless it runs. Raises Unavailable where programs could not be confined."""
        await self._running()

    async def launch(  # noqa: PLR0913 - a program has what is named here, and nothing else
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        stderr: int,
        stdout: int | None = None,
        readable: Sequence[str | Path] = (),
        writable: Sequence[str | Path] = (),
        cwd: str | Path = "/",
        file_bytes: int = 0,
        data_bytes: int = 0,
        door: Door | None = None,
    ) -> Launched:
        """Start a program, by its path, with this environment and no descriptor but standard error (and output).

        It reads what is in `readable`, and makes files of up to `file_bytes` and sockets in the folders `writable`,
        which become its user's. `data_bytes` bounds its memory from its start, 0 not at all. Without a door it has no
        network. Raises OSError where it cannot start, Unavailable where the jail cannot, ValueError for a command line
        that is too long.
        """
        order = Order(
            list(argv),
            dict(environment),
            [str(path) for path in readable],
            [str(path) for path in writable],
            str(cwd),
            file_bytes,
            data_bytes,
            door.port if door is not None else 0,
        )
        launched = await self._launch(order, [stderr] if stdout is None else [stderr, stdout])
        if door is not None:
            try:
                await door.lead(launched)
            except BaseException:
                launched.kill()
                raise
        return launched

    async def close(self) -> None:
        """End the keeper and every program."""
        self._closed = True
        keeper = self._keeper
        if keeper is not None and keeper.alive:
            keeper.kill()
            await keeper.ended(_START_S)

    async def _launch(self, order: Order, says: list[int]) -> Launched:
        try:
            return await (await self._running()).launch(order, says, timeout_s=_START_S)
        except Unavailable:
            return await (await self._running()).launch(order, says, timeout_s=_START_S)

    async def _running(self) -> KeeperLink:
        async with self._starting:
            if self._closed:
                raise Unavailable("the jail is closed")
            if self._keeper is None or not self._keeper.alive:
                self._keeper = await self._start()
            return self._keeper

    async def _start(self) -> KeeperLink:
        keeper = KeeperLink(self._without)
        try:
            await keeper.ready(_START_S)
        except BaseException:  # also of a call that is cut while it waits: nobody else would know of this keeper
            keeper.kill()
            raise
        self.report = keeper.report
        if self.report["level"] != "weak":
            _log.info("jail", layers=self.report)
            return keeper
        _log.warning("jail", layers=self.report)
        if self._sandbox != "weak":
            keeper.kill()
            await keeper.ended(_START_S)
            missing = ", ".join(f"{layer} {self.report[layer]}" for layer in _ESSENTIAL if self.report[layer] != "on")
            raise Unavailable(
                f"this machine does not contain hostile code ({missing}); SHOAL_SANDBOX=weak serves all the same"
            )
        return keeper
