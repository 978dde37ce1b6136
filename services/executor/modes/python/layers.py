"""Which layers this machine gives its workers: prepared, probed, and told in one report."""

import os

from services.executor.kernel import landlock
from services.executor.kernel.bpf import Filter
from services.executor.kernel.machines import ARCHITECTURES
from services.executor.kernel.trial import ON
from services.executor.modes.python import isolation, probe
from services.executor.modes.python.isolation import LEFT_OUT
from services.executor.modes.python.lockdown import Layers, ProcessLimits
from services.executor.modes.python.seccomp import make_filter

Report = dict[str, str]


def prepare(namespaces: str, *, chroot: str, uid: str, without: frozenset[str]) -> tuple[Layers, Report]:
    """What a worker puts on, and what has been seen to hold. The zygote has done its own part before."""
    made, seccomp = _seccomp(without)
    ruleset_fd, rules = _landlock(without)
    rlimits = LEFT_OUT if "rlimits" in without else probe.limits()
    report = {
        "seccomp": seccomp,
        "landlock": rules,
        "namespaces": _probed(namespaces, probe.namespaces()),
        "chroot": _probed(chroot, probe.files()),
        "uid": _probed(uid, probe.uid()),
        "rlimits": rlimits,
        "cgroup": "off: bounds are kept a process, by rlimits and by the executor",
    }
    limits = None if "rlimits" in without else ProcessLimits()
    return Layers(limits=limits, ruleset_fd=ruleset_fd, filter=made), {"level": level(report)} | report


def level(report: Report) -> str:
    """strict: a worker that breaks through one layer meets another. standard: it meets one. weak: none worth it."""
    if report["seccomp"] != ON or report["rlimits"] != ON:
        return "weak"
    second = (report["uid"], report["namespaces"])
    scoped = report["landlock"].startswith("abi ") and int(report["landlock"][4:]) >= landlock.SCOPES_FROM_ABI
    return "strict" if ON in second or scoped else "standard"


def _seccomp(without: frozenset[str]) -> tuple[Filter | None, str]:
    if "seccomp" in without:
        return None, LEFT_OUT
    name = os.uname().machine
    machine = ARCHITECTURES.get(name)
    if machine is None:
        return None, f"off: unknown architecture {name}"
    made = make_filter(machine)
    seen = probe.seccomp(made, machine)
    return (made if seen == ON else None), seen


def _landlock(without: frozenset[str]) -> tuple[int | None, str]:
    if "landlock" in without:
        return None, LEFT_OUT
    try:
        version = landlock.abi()
        ruleset_fd = landlock.make_ruleset(version)
    except OSError as error:
        return None, f"off: {error.strerror}"
    seen = probe.ruleset(ruleset_fd, version)
    if seen == ON:
        return ruleset_fd, f"abi {version}"
    os.close(ruleset_fd)
    return None, seen


def _probed(made: str, seen: str) -> str:
    """What was made counts only if it was seen; what was not made keeps its reason."""
    return seen if made == ON else made


def isolate(without: frozenset[str]) -> tuple[str, str]:
    """The zygote's own part, when everything is loaded: the empty root and the own user."""
    chroot = LEFT_OUT if "chroot" in without else isolation.leave_the_files()
    uid = "shared: left out by a setting" if "uid" in without else isolation.take_own_uid()
    return chroot, uid
