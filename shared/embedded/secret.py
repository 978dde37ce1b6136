"""Secrets that a data folder keeps for its owner alone."""

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

_BYTES = 32


def secret(path: Path) -> str:
    """The secret in this file, made the first time: 64 hex digits, which an address can hold as they are."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp's mode is 0600
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # somebody else was first: theirs is the one
            os.link(draft, path)  # whole or not at all
        Path(draft).unlink()
    return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, whatever it was before."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)
        file.write(text)
