"""What executor and zygote say to each other: one byte asks for a worker, small msgpack arrays come back."""

import msgspec

SPAWN = b"s"
MAX_MESSAGE_BYTES = 4096


class Ready(msgspec.Struct, frozen=True, array_like=True, tag="ready"):
    """The zygote can fork. `report` says which layers of the sandbox have been seen to hold."""

    mapped_bytes: int
    report: dict[str, str]


class Spawned(msgspec.Struct, frozen=True, array_like=True, tag="spawned"):
    """A worker was forked; its socket and its pidfd come with this message. `pid` is as the zygote sees it."""

    pid: int


class Failed(msgspec.Struct, frozen=True, array_like=True, tag="failed"):
    """No worker could be forked."""

    reason: str


class Exited(msgspec.Struct, frozen=True, array_like=True, tag="exited"):
    """A worker has ended: its exit status, or the negative number of the signal."""

    pid: int
    status: int


Message = Ready | Spawned | Failed | Exited

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def pack(message: Message) -> bytes:
    """A message as it goes over the control socket."""
    return _encoder.encode(message)


def parse(data: bytes) -> Message:
    """What the zygote says. Raises msgspec.DecodeError."""
    return _decoder.decode(data)
