"""How Celery's callers are spread over the client's processes."""

from typing import NamedTuple


class Spread(NamedTuple):
    """`processes` times `threads` callers."""

    processes: int
    threads: int
