"""What the kernel says about processes: CPU time, memory, children."""

import os
import resource
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

Processes = dict[str, list[int]]


def cpu_s(pid: int) -> float:
    """User and system seconds so far of a process and of the children it has seen end; 0 when it is gone."""
    return sum(int(ticks) for ticks in _stat(pid)[11:15]) / TICKS_PER_S


def rss_bytes(pid: int) -> int:
    """Resident memory, shared pages counted in full."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError):
        return 0


def pss_bytes(pid: int) -> int:
    """Resident memory, a shared page divided by its sharers; 0 when the kernel does not let us read it."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def name(pid: int) -> str:
    """The name of the program; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def parent(pid: int) -> int:
    """The process that started it; 0 when it is gone."""
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def descendants(pid: int) -> list[int]:
    """Every process below `pid`, nearest first."""
    below: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            below.setdefault(int(fields[1]), []).append(int(entry.name))
    found = list(below.get(pid, []))
    for one in found:  # grows while it is walked
        found.extend(below.get(one, []))
    return found


def cpu_table(processes: Processes) -> dict[str, float]:
    """CPU seconds so far of each label."""
    return {label: sum(cpu_s(pid) for pid in pids) for label, pids in processes.items()}


def machine_busy_s() -> float:
    """CPU seconds of the whole machine so far, time stolen by its host included: user, nice, system, irqs, steal."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split(maxsplit=9)[1:9]]
    idle, waiting = ticks[3], ticks[4]
    return (sum(ticks) - idle - waiting) / TICKS_PER_S


def ended_children_cpu_s() -> float:
    """CPU seconds of this process's children that have ended, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat behind the name, which may itself hold spaces."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
