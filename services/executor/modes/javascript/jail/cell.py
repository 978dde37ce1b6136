"""What a program gives up before it starts. All of it is for good, for its threads and whatever it might become."""

import os
import resource
from typing import NamedTuple

from services.executor.kernel import calls, landlock
from services.executor.kernel.bpf import Filter
from services.executor.modes.javascript.jail import rooms
from services.executor.modes.javascript.jail.orders import Order

_NICENESS = 10  # the executor itself must stay prompt while functions compute
_OPEN_FILES = 256
# Of one user: V8 has a thread for each processor, and its runtime some for each and for what blocks.
_THREADS, _THREADS_PER_PROCESSOR = 64, 8

# What any program needs to start: itself, its linker, the C library's folder and what says where that is.
_LINKERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1")
_ALWAYS_READ = ("/etc/ld.so.cache", "/dev/urandom", "/usr/share/zoneinfo", "/etc/localtime")
_ALWAYS_USE = ("/dev/null",)


class Layers(NamedTuple):
    """What a program is given. None, empty or False: this machine does not have it, or it was left out."""

    silent: Filter | None = None  # without any network
    networked: Filter | None = None
    landlock_abi: int = 0
    limits: bool = True
    own_uid: bool = False
    own_network: bool = False
    libraries: str = "/usr/lib"


def confine(order: Order, layers: Layers, *, uid: int) -> None:
    """Put every layer on, in the order in which the later ones still allow the earlier. Raises OSError."""
    ruleset_fd = make_rules(order, layers) if layers.landlock_abi else None
    if layers.own_uid:
        rooms.own_uid(uid, order.writable)
    calls.drop_capabilities()
    calls.gain_nothing()
    if ruleset_fd is not None:
        landlock.put_on(ruleset_fd)
    os.nice(_NICENESS)
    if layers.limits:
        limit(file_bytes=order.file_bytes, data_bytes=order.data_bytes, counts_threads=layers.own_uid)
    worn = layers.networked if order.port else layers.silent
    if worn is not None:
        worn.put_on()


def limit(*, file_bytes: int, counts_threads: bool, data_bytes: int = 0) -> None:
    """Put on the kernel's limits. Where the user is shared, its threads are others' too, and not counted here."""
    bounds = {
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
    }
    if data_bytes:
        bounds[resource.RLIMIT_DATA] = data_bytes
    if counts_threads:
        bounds[resource.RLIMIT_NPROC] = _THREADS + _THREADS_PER_PROCESSOR * (os.cpu_count() or 1)
    for kind, bound in bounds.items():
        resource.setrlimit(kind, (bound, bound))


def make_rules(order: Order, layers: Layers) -> int:
    """The Landlock rules of one program. Raises OSError."""
    version = layers.landlock_abi
    rules = landlock.make_ruleset(version)
    for path in (order.argv[0], *_LINKERS):
        _permit(rules, path, landlock.RUN, version=version, needed=path == order.argv[0])
    for path in (layers.libraries, f"/proc/{os.getpid()}", *_ALWAYS_READ):
        _permit(rules, path, landlock.READ, version=version, needed=False)
    for path in _ALWAYS_USE:
        _permit(rules, path, landlock.USE, version=version, needed=False)
    for path in order.readable:
        _permit(rules, path, landlock.READ, version=version, needed=True)
    for path in order.writable:
        _permit(rules, path, landlock.CHANGE, version=version, needed=True)
    if order.port:
        landlock.permit_port(rules, order.port, version=version)
    return rules


def _permit(rules: int, path: str, rights: int, *, version: int, needed: bool) -> None:
    try:
        landlock.permit(rules, path, rights, version=version)
    except FileNotFoundError:
        if needed:
            raise
