"""The data folder: one supervisor at a time, the admin token, and files that say what is ready and whom to scrape."""

import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from cli.supervisor.settings import UpError


class Folder:
    """Held as a context: the lock lasts as long as the block, or the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = -1

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UpError(f"data folder {self.path} cannot be used: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._lock, 32).decode().strip() or "unknown"
            os.close(self._lock)
            raise UpError(f"data folder {self.path} is in use by pid {holder}") from None
        os.truncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        self.withdraw()
        return self

    def __exit__(self, *_: object) -> None:
        self.withdraw()
        os.close(self._lock)

    @property
    def token_file(self) -> Path:
        """Where the admin token is kept, unless the operator gave one."""
        return self.path / "admin.token"

    def token(self) -> str:
        """The admin token: made once, readable by the owner alone."""
        path = self.token_file
        if not path.exists():
            self._write(path, f"shoal_{secrets.token_urlsafe(32)}\n")
        return path.read_text().strip()

    def publish(self, facts: Mapping[str, object], *, targets: Sequence[Mapping[str, object]]) -> None:
        """Say in ready.json what runs and where; a reader sees the old text or the new, never half.

        `targets`, in prometheus.json, are whom to ask for metrics, in the form of Prometheus' file_sd_configs.
        """
        self._write(self.path / "prometheus.json", json.dumps(targets, indent=2) + "\n")
        self._write(self.path / "ready.json", json.dumps(facts, indent=2) + "\n")

    def withdraw(self) -> None:
        """Say that nothing is ready: the ports that were named may be another program's by and by."""
        (self.path / "ready.json").unlink(missing_ok=True)
        (self.path / "prometheus.json").unlink(missing_ok=True)

    def _write(self, path: Path, text: str) -> None:
        descriptor, draft = tempfile.mkstemp(dir=self.path, prefix=f".{path.name}.")  # mkstemp's mode is 0600
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
