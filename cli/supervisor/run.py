"""`shoal up` from start to end: folder, port, fleet, ready, signal, orderly stop."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

from cli.supervisor import doors, readiness
from cli.supervisor.fleet import Fleet
from cli.supervisor.folder import Folder
from cli.supervisor.settings import Settings, UpError
from shared import embedded, log_lines

READY_S = 60.0
_log = log_lines.logger("supervisor")


async def up(settings: Settings, *, announce: Callable[[str, str], None]) -> int:
    """Run until a signal; 0 after an orderly end. `announce` is given the public address and the admin token."""
    with Folder(settings.data_dir) as folder:
        # A killed run's services may still be draining, with the public port in hand. They hold this lock too.
        lock = await embedded.hold(folder.path / "services" / "lock", within_s=embedded.FORMER_S)
        try:
            with doors.public(settings.host, settings.port) as door:
                token = settings.token or folder.token()
                token_in = "SHOAL_ADMIN_TOKEN" if settings.token else str(folder.token_file)
                fleet = Fleet(settings, door=door, token=token, lock=lock)
                facts: dict[str, object] = {"url": doors.url(door), "token": token, "pid": os.getpid()}
                await _serve(fleet, folder, facts, token_in=token_in, announce=announce)
        finally:
            os.close(lock)
    return 1 if fleet.killed else 0


async def _serve(
    fleet: Fleet, folder: Folder, facts: dict[str, object], *, token_in: str, announce: Callable[[str, str], None]
) -> None:
    stop, ready, told = asyncio.Event(), asyncio.Event(), asyncio.Event()
    renewals = 0
    _on_signal(stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, told.set)

    def publish() -> None:
        if ready.is_set() and not stop.is_set():
            try:
                folder.publish({**facts, **fleet.facts(), "renewals": renewals}, targets=fleet.targets())
            except OSError as error:  # a full disk is no reason to end what runs
                _log.error("ready.json cannot be written", error=str(error))

    async def renew() -> None:
        """Whenever we are told to: `shoal restart` looks for the number that says that it is done."""
        nonlocal renewals
        while await told.wait():
            told.clear()
            _log.info("services are started anew")
            if late := await fleet.renew(within_s=READY_S):
                _log.error("services are not ready", services=late, within_s=READY_S)
            renewals += 1
            publish()

    _log.info("starting", url=facts["url"], data_dir=str(folder.path))
    running = fleet.start(changed=publish)
    try:
        if await _first(_ready(fleet), stop, running):
            ready.set()
            publish()
            _log.info("up", url=facts["url"], admin_token_in=token_in)
            announce(str(facts["url"]), str(facts["token"]))
            await _first(renew(), stop, running)
    finally:
        folder.withdraw()
        _on_signal(fleet.kill)
        _log.info("stopping")
        await fleet.stop(early=not ready.is_set())


async def _ready(fleet: Fleet) -> None:
    await fleet.served()
    if late := await readiness.until_ready(fleet.health, within_s=READY_S):
        raise UpError(f"not ready within {READY_S:.0f} s: {', '.join(late)}")


async def _first(awaited: Awaitable[object], stop: asyncio.Event, running: set[asyncio.Task[None]]) -> bool:
    """Whether what is awaited came before the signal. Raises what ended a child for good."""
    done, told = asyncio.ensure_future(awaited), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({done, told, *running}, return_when=asyncio.FIRST_COMPLETED)
        for task in (done, *running):
            if task.done():
                task.result()
        return done.done()
    finally:
        for task in (done, told):
            task.cancel()
        await asyncio.gather(done, told, return_exceptions=True)


def _on_signal(react: Callable[[], object]) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, react)
    loop.add_signal_handler(signal.SIGTERM, react)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup's wish
        loop.add_signal_handler(signal.SIGHUP, react)
