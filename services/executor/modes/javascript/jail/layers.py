"""Which layers this machine gives to programs: prepared, probed, and told in one report."""

import os
from pathlib import Path

from services.executor.kernel import landlock
from services.executor.kernel.machines import ARCHITECTURES
from services.executor.kernel.trial import ON
from services.executor.modes.javascript.jail import filter as filters
from services.executor.modes.javascript.jail import probe, rooms
from services.executor.modes.javascript.jail.cell import Layers
from services.executor.modes.javascript.jail.rooms import LEFT_OUT

Report = dict[str, str]


def prepare(namespaces: str, without: frozenset[str]) -> tuple[Layers, Report]:
    """What programs put on, and what has been seen to hold."""
    layers, seccomp = _seccomp(without)
    version, rules = _landlock(without)
    rlimits = LEFT_OUT if "rlimits" in without else probe.limits()
    network = LEFT_OUT if {"network", "namespaces"} & without else probe.network()
    if network == ON:
        rooms.leave_network()  # what has no network of its own shares this one
    uid = LEFT_OUT if "uid" in without else rooms.why_shared_uid() or probe.uid()
    report = {
        "seccomp": seccomp,
        "landlock": rules,
        "namespaces": namespaces,
        "network": network,
        "uid": uid,
        "rlimits": rlimits,
    }
    layers = layers._replace(
        landlock_abi=version,
        limits="rlimits" not in without,
        own_uid=uid == ON,
        own_network=network == ON,
        libraries=_libraries(),
    )
    return layers, {"level": level(report)} | report


def level(report: Report) -> str:
    """Strict: what breaks out of Deno and meets a hole in one layer meets another. standard: one. weak: none."""
    if report["seccomp"] != ON or report["rlimits"] != ON:
        return "weak"
    second = report["landlock"].startswith("abi ") or report["uid"] == ON or report["namespaces"].startswith(ON)
    return "strict" if second else "standard"


def _seccomp(without: frozenset[str]) -> tuple[Layers, str]:
    if "seccomp" in without:
        return Layers(), LEFT_OUT
    name = os.uname().machine
    machine = ARCHITECTURES.get(name)
    if machine is None:
        return Layers(), f"off: unknown architecture {name}"
    silent, networked = (filters.make_filter(machine, network=network) for network in (False, True))
    seen = probe.seccomp(silent, networked)
    return (Layers(silent=silent, networked=networked) if seen == ON else Layers()), seen


def _landlock(without: frozenset[str]) -> tuple[int, str]:
    if "landlock" in without:
        return 0, LEFT_OUT
    try:
        version = landlock.abi()
    except OSError as error:
        return 0, f"off: {error.strerror}"
    seen = probe.rules(version)
    return (version, f"abi {version}") if seen == ON else (0, seen)


def _libraries() -> str:
    """The folder of the C library, as this process has it mapped."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        path = line[line.find("/") :]
        if path.startswith("/") and path.rsplit("/", 1)[-1].startswith("libc."):
            return path.rsplit("/", 1)[0]
    return "/usr/lib"
