"""The settings of the Python mode, and the name of the compiler its artefacts carry."""

import sys
from importlib.metadata import version
from typing import Literal

import msgspec

# Raise it with every change of policy.py or guards.py that makes code compiled before wrong or unsafe.
POLICY = 2

COMPILER = f"py{sys.version_info[0]}.{sys.version_info[1]}-rp{version('RestrictedPython')}-policy{POLICY}"


class PythonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that run side by side, workers that are kept ready, and what a compilation may take."""

    slots: int = 4
    spawn_timeout_s: float = 10.0
    # Workers that wait for a function: so many always, and up to so many while there is demand.
    least_spares: int = 2
    most_spares: int = 8
    # Forks share the layout of their memory: a new zygote draws a new one, so often and after an attack, but not
    # more often than once in `renewal_gap_s`.
    renewal_s: float = 3600.0
    renewal_gap_s: float = 10.0
    compile_timeout_s: float = 10.0
    compile_memory_mb: int = 256
    compile_slots: int = 2
    # A net behind the API's own bound, SHOAL_API_CODE_BYTES.
    max_source_bytes: int = 4 << 20
    # `weak` serves even where untrusted code could leave its process; `auto` refuses to.
    sandbox: Literal["auto", "weak"] = "auto"
    # Layers not to use: namespaces, chroot, uid, landlock, rlimits, seccomp.
    without: tuple[str, ...] = ()
