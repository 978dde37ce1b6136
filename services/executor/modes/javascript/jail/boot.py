"""The first steps of the keeper: out of the executor's namespaces, then to work."""

import signal
import socket
import sys
import traceback

from services.executor.kernel import calls
from services.executor.modes.javascript.jail import layers, orders, rooms
from services.executor.modes.javascript.jail.keeper import Keeper


def main(control_fd: int, executor_pid: int, without: frozenset[str]) -> None:
    """Become the keeper. What goes wrong before it is ready is on its standard error."""
    calls.die_with_parent(executor_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        rooms.offer_to_the_oom_killer()
        namespaces = rooms.LEFT_OUT if "namespaces" in without else rooms.enter_namespaces()
        calls.gain_nothing()  # a filter may be put on only by who can gain nothing
        calls.hide_memory()
        worn, report = layers.prepare(namespaces, without)
    except Exception:  # noqa: BLE001 - told to the executor, which raises it
        traceback.print_exc()
        sys.exit(1)
    executor = socket.socket(fileno=control_fd)
    executor.send(orders.pack(orders.Ready(report)))
    Keeper(executor, worn).serve()
