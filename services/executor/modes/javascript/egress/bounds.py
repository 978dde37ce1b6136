"""How much of the network one process may use."""

import msgspec


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Counts, bytes both ways together, seconds."""

    # At one time: of one process, and of all.
    connections: int = 32
    all_connections: int = 1024
    connection_bytes: int = 1 << 30
    connection_s: float = 900.0
    # Without a byte either way.
    idle_s: float = 60.0
    # From the connection to the end of the head of its request.
    head_s: float = 10.0
    head_bytes: int = 64 << 10
