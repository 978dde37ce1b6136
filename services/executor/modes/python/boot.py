"""The first steps of the zygote: out of the executor's namespaces while there is little to copy, then the rest."""

import signal

from services.executor.kernel import calls, namespaces
from services.executor.modes.python import isolation


def main(control_fd: int, executor_pid: int, without: frozenset[str]) -> None:
    """Become the zygote. `without` names the layers that a setting leaves out."""
    calls.die_with_parent(executor_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    seen = isolation.LEFT_OUT if "namespaces" in without else namespaces.enter(namespaces.ALL)
    isolation.offer_to_the_oom_killer()
    # Only now: the process that stays behind has no use for all this.
    from services.executor.modes.python import zygote

    zygote.main(control_fd, seen, without)
