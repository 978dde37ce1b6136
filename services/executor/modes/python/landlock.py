"""Landlock: no file, no TCP port, no signal and no abstract socket beyond the process itself.

The ruleset allows nothing, so it consists of what it handles; each kernel's ABI tells how much that can be.
"""

import ctypes
import fcntl
import os
import struct

from services.executor.modes.python import kernel

# The same numbers on every architecture.
_CREATE_RULESET = 444
_RESTRICT_SELF = 446
_ASK_VERSION = 1

# File rights: 13 in ABI 1, then refer, truncate and ioctl on devices, one each in 2, 3 and 5.
_FIRST_FILE_RIGHTS = 13
_FILE_RIGHTS_FROM_ABI = (2, 3, 5)
_TCP_FROM_ABI = 4
_TCP = 0b11  # bind and connect
SCOPES_FROM_ABI = 6
_SCOPES = 0b11  # abstract unix sockets, signals

_OUT_OF_THE_WAY = 50  # a worker puts its own descriptors on the lowest numbers before it needs this one


def abi() -> int:
    """The version the kernel speaks. Raises OSError where there is none."""
    return kernel.syscall(_CREATE_RULESET, 0, 0, _ASK_VERSION)


def make_ruleset(version: int) -> int:
    """A descriptor for `put_on`; made in the zygote, for a worker has no room for another descriptor."""
    rights = _FIRST_FILE_RIGHTS + sum(version >= needed for needed in _FILE_RIGHTS_FROM_ABI)
    fields = [(1 << rights) - 1]
    if version >= _TCP_FROM_ABI:
        fields.append(_TCP)
    if version >= SCOPES_FROM_ABI:
        fields.append(_SCOPES)
    handled = ctypes.create_string_buffer(struct.pack(f"={len(fields)}Q", *fields), 8 * len(fields))
    made = kernel.syscall(_CREATE_RULESET, ctypes.addressof(handled), len(handled), 0)
    try:
        return fcntl.fcntl(made, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY)
    finally:
        os.close(made)


def put_on(ruleset_fd: int) -> None:
    """For this process and all it may ever start, for good."""
    kernel.syscall(_RESTRICT_SELF, ruleset_fd, 0)
