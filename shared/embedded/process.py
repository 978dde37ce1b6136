"""Child processes that end with their parent, and locks that last as long as they do."""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PACKAGES = Path(__file__).resolve().parents[2]
"""Where `shared` lives. Children that run `python -m` start here, so that no folder of the caller's shadows ours."""

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class EmbeddedError(Exception):
    """Something the user has to put right, in one line."""


async def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    output: int | None = asyncio.subprocess.DEVNULL,
) -> asyncio.subprocess.Process:
    """Start a child that ends with its parent; in a session of its own, for Ctrl-C is the parent's to pass on."""
    return await asyncio.create_subprocess_exec(
        *argv,
        env=env,
        cwd=PACKAGES,
        pass_fds=pass_fds,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        preexec_fn=_ends_with(os.getpid()),
    )


async def end(process: asyncio.subprocess.Process, *, within_s: float) -> int:
    """SIGTERM, then SIGKILL when the time is up; the exit code."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        return await asyncio.wait_for(process.wait(), within_s)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        return await process.wait()


async def hold(path: Path, *, within_s: float) -> int:
    """Lock a file and return its descriptor: handed to children, the lock lasts until the last of them has ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + within_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                raise EmbeddedError(f"{path.parent} is in use by another process") from None
            # A flock can only be waited for by blocking a thread, which could not be given up again.
            await asyncio.sleep(0.05)
        else:
            return descriptor


def held(lock: Path) -> bool:
    """Whether somebody has locked the file."""
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _ends_with(parent: int) -> Callable[[], None]:
    def in_child() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # it had ended before the wish was known
                os._exit(1)

    return in_child
