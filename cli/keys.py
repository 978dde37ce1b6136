"""The operator's keys, as `shoal up` and the services find them, and the file that they are in."""

import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cli.opened import OpenError, Where
from shared.config import ConfigError
from shared.secrets import KEY_BYTES, Keyring, keys_of, keys_of_file

VARIABLE, FILE_VARIABLE = "SHOAL_SECRET_KEY", "SHOAL_SECRET_KEY_FILE"


def open_keys(where: Where, environ: Mapping[str, str] = os.environ) -> Keyring:
    """The keys: of the variable, of the file that a variable names, or of the data folder. Raises OpenError."""
    try:
        if text := environ.get(VARIABLE):
            return Keyring(keys_of(text))
        path = file_of(where, environ)
        if path is None:
            raise OpenError(f"there are no keys: set {VARIABLE} or {FILE_VARIABLE}, or name the --data-dir")
        return Keyring(keys_of_file(path))
    except ConfigError as error:
        raise OpenError(str(error)) from None


def file_of(where: Where, environ: Mapping[str, str] = os.environ) -> Path | None:
    """The file that holds the keys, or None where there is none."""
    if named := environ.get(FILE_VARIABLE):
        return Path(named)
    path = Path(where.data_dir or environ.get("SHOAL_DATA_DIR") or ".shoal").absolute() / "secret.key"
    return path if path.exists() else None


def new_key() -> str:
    """A key that nobody has had before, as it is written down."""
    return secrets.token_hex(KEY_BYTES)


def prepend(path: Path, key: str) -> int:
    """Put a key before the others in the file, for its owner alone to read; how many there are then.

    A reader sees the file as it was or as it is, and of two that add a key at once neither loses the other's.
    Raises OpenError.
    """
    try:
        with _locked(path) as file:
            others = [line.strip() for line in file.read_text().splitlines() if line.strip()]
            keys_of_file(path)
            _replace(path, "".join(f"{each}\n" for each in (key, *others)))
            return 1 + len(others)
    except ConfigError as error:
        raise OpenError(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise OpenError(f"{path} cannot be changed: {error}") from None


@contextmanager
def _locked(path: Path) -> Iterator[Path]:
    """Hold the file that stands there. It is another one after each change, so it may be lost while one waits."""
    while True:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                yield path
                return
        finally:
            os.close(descriptor)


def _replace(path: Path, text: str) -> None:
    """Whole or not at all, and the owner stays who it was."""
    before = path.stat()
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp's mode is 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, before.st_uid, before.st_gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
