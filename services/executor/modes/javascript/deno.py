"""Where Deno is, and how it is told to run."""

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# Raise it with every change of checking.py that makes what was prepared before wrong.
PREPARED = 1

MISSING = "this executor runs no JavaScript: the package `deno` is not installed beside it"

# Nothing is asked at a terminal, loaded from elsewhere, or read from a project: what runs is what is named.
_ALONE = ("--no-remote", "--no-npm", "--no-config", "--no-lock", "--quiet")


def compiler() -> str:
    """The name that artefacts carry; another Deno makes them anew. `deno-missing` where there is none."""
    try:
        return f"deno{version('deno')}-prepared{PREPARED}"
    except PackageNotFoundError:
        return "deno-missing"


def find() -> Path | None:
    """The binary of the wheel, None where it is missing."""
    try:
        from deno import find_deno_bin

        return Path(find_deno_bin())
    except (ImportError, FileNotFoundError):
        return None


def host_arguments(
    host: Path, *, main: Path, socket: Path, memory_mb: int, net: Sequence[str] = (), reaches: bool = False
) -> list[str]:
    """What makes a host of one function of Deno: its own socket, its own code to read, and what `net` permits.

    The host gives up what is permitted here before it loads the function, but for its environment, and for the network
    where the function `reaches` any of it.
    """
    return [
        "run",
        "--no-prompt",
        *_ALONE,
        "--no-check",
        "--cached-only",
        "--unstable-no-legacy-abort",
        f"--v8-flags=--max-old-space-size={memory_mb}",
        "--allow-env",
        *(net or [f"--allow-net=unix:{socket}"]),
        f"--allow-read={socket},{main}",
        f"--allow-write={socket}",
        "--deny-import",
        str(host),
        str(socket),
        *(["reaches"] if reaches else []),
    ]


def tool_arguments(tool: str, *arguments: str) -> list[str]:
    """One of Deno's tools that read code and run none: info, doc, transpile."""
    return [tool, "--no-remote", "--no-npm", "--no-config", "--no-lock", *arguments]
