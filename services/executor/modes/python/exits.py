"""What the exit status of a worker says."""

import signal

# There was no memory left to say it in a reply.
MEMORY_EXIT = 86
BROKEN_EXIT = 1

# The filter of system calls has ended it.
VIOLATION_STATUS = -int(signal.SIGSYS)


def way_of(status: int | None) -> str:
    """In one word how a worker ended by itself."""
    if status == VIOLATION_STATUS:
        return "violation"
    return "memory" if status == MEMORY_EXIT else "died"
