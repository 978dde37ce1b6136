"""Landlock: no file, no TCP port, no signal and no abstract socket beyond the process itself and what is listed.

A ruleset consists of what it handles, and of the exceptions; each kernel's ABI tells how much it can handle.
"""

import ctypes
import fcntl
import os
import stat
import struct

from services.executor.kernel import calls

# The same numbers on every architecture.
_CREATE_RULESET = 444
_ADD_RULE = 445
_RESTRICT_SELF = 446
_ASK_VERSION = 1
_BENEATH_PATH, _TCP_PORT = 1, 2

# File rights: 13 in ABI 1, then refer, truncate and ioctl on devices, one each in 2, 3 and 5.
_FIRST_FILE_RIGHTS = 13
_FILE_RIGHTS_FROM_ABI = (2, 3, 5)
_TCP_FROM_ABI = 4
_TCP = 0b11  # bind and connect
_TCP_CONNECT = 0b10
SCOPES_FROM_ABI = 6
_SCOPES = 0b11  # abstract unix sockets, signals

_EXECUTE, _WRITE, _READ, _LIST = 1, 2, 4, 8
_ON_FILES = _EXECUTE | _WRITE | _READ | 1 << 14 | 1 << 15  # the rest is for folders only
_MAKE_DEVICES = 1 << 6 | 1 << 11  # character and block
RUN = _EXECUTE | _READ
READ = _READ | _LIST
USE = _READ | _WRITE
CHANGE = 0xFFFF & ~(_EXECUTE | _MAKE_DEVICES)

_OUT_OF_THE_WAY = 50  # a worker puts its own descriptors on the lowest numbers before it needs this one


def abi() -> int:
    """The version the kernel speaks. Raises OSError where there is none."""
    return calls.syscall(_CREATE_RULESET, 0, 0, _ASK_VERSION)


def make_ruleset(version: int) -> int:
    """A descriptor for `put_on`; made in the zygote, for a worker has no room for another descriptor."""
    fields = [_file_rights(version)]
    if version >= _TCP_FROM_ABI:
        fields.append(_TCP)
    if version >= SCOPES_FROM_ABI:
        fields.append(_SCOPES)
    handled = ctypes.create_string_buffer(struct.pack(f"={len(fields)}Q", *fields), 8 * len(fields))
    made = calls.syscall(_CREATE_RULESET, ctypes.addressof(handled), len(handled), 0)
    try:
        return fcntl.fcntl(made, fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY)
    finally:
        os.close(made)


def permit(ruleset_fd: int, path: str, rights: int, *, version: int) -> None:
    """Except what is at a path, and below it, for these rights. Raises OSError."""
    beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(beneath).st_mode):
            rights &= _ON_FILES
        _add(ruleset_fd, _BENEATH_PATH, struct.pack("=Qi", rights & _file_rights(version), beneath))
    finally:
        os.close(beneath)


def permit_port(ruleset_fd: int, port: int, *, version: int) -> bool:
    """Except connections to this TCP port, on whatever machine. False where Landlock knows no network: all is open."""
    if version < _TCP_FROM_ABI:
        return False
    _add(ruleset_fd, _TCP_PORT, struct.pack("=QQ", _TCP_CONNECT, port))
    return True


def put_on(ruleset_fd: int) -> None:
    """For this process and all it may ever start, for good."""
    calls.syscall(_RESTRICT_SELF, ruleset_fd, 0)


def _file_rights(version: int) -> int:
    return (1 << _FIRST_FILE_RIGHTS + sum(version >= needed for needed in _FILE_RIGHTS_FROM_ABI)) - 1


def _add(ruleset_fd: int, kind: int, packed: bytes) -> None:
    rule = ctypes.create_string_buffer(packed, len(packed))
    calls.syscall(_ADD_RULE, ruleset_fd, kind, ctypes.addressof(rule), 0)
