"""What the machine, or the container that stands for it, has of memory."""

import os
from pathlib import Path

# How a container is told what it may have: cgroup v2, then v1. A file that says "max", or is not there, bounds nothing.
_BOUNDS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def memory_bytes() -> int:
    """All of it."""
    whole_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([whole_bytes, *filter(None, map(_bound_bytes, _BOUNDS))])


def _bound_bytes(path: Path) -> int:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return 0
    return int(text) if text.isdecimal() else 0
