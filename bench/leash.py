"""Start a command that the kernel ends when its parent dies: no orphans, even after `kill -9` of the benchmark.

Run by path with the command as arguments; it becomes that command. Imports nothing of ours, to start fast.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def follow_parent() -> None:
    """Ask the kernel for SIGTERM when the parent ends; the wish outlives exec, but a fork has to wish anew."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


if __name__ == "__main__":
    follow_parent()
    os.execvp(sys.argv[1], sys.argv[1:])
