"""What the executor and the keeper of the jail say to each other: JSON in single packets, descriptors beside it."""

import json
from typing import Any, NamedTuple

MAX_BYTES = 64 << 10


class Order(NamedTuple):
    """Start a program; its standard error comes beside, and its standard output behind that if it has one.

    `readable` are files and folders that it may read, `writable` folders in which it may make files and sockets;
    each of its files grows up to `file_bytes`, its memory to `data_bytes` (0: without a bound). With a `port` it may
    connect to that TCP port, and to nothing else.
    """

    argv: list[str]
    environment: dict[str, str]
    readable: list[str]
    writable: list[str]
    cwd: str = "/"
    file_bytes: int = 0
    data_bytes: int = 0
    port: int = 0


class Ready(NamedTuple):
    """The keeper can start programs; what was seen to hold, by layer."""

    report: dict[str, str]


class Started(NamedTuple):
    """It runs under this number and as this user. Beside come a pidfd, and its port's listener if it has one."""

    pid: int
    uid: int


class Failed(NamedTuple):
    """It does not run."""

    reason: str


class Exited(NamedTuple):
    """It has ended, with this status or by the negative number's signal."""

    pid: int
    status: int


Message = Order | Ready | Started | Failed | Exited

_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (Order, Ready, Started, Failed, Exited)}


def pack(message: Message) -> bytes:
    """One packet. Raises ValueError for one that is too long."""
    packed = json.dumps([type(message).__name__, *message]).encode()
    if len(packed) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes to start a program")
    return packed


def parse(packet: bytes) -> Message:
    """What was packed."""
    name, *fields = json.loads(packet)
    message: Message = _KINDS[name](*fields)
    return message
