"""`shoal restart`: all services of a running `shoal up` anew, one after the other, while it goes on serving."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

_WITHIN_S = 300.0
_LOOK_S = 0.1


def restart(
    *,
    data_dir: Annotated[str, Parameter(help="folder of the running `shoal up` (SHOAL_DATA_DIR, default .shoal)")] = "",
) -> int:
    """Start all services anew, one after the other: after an upgrade or a change of files that they have read.

    Callers notice nothing but a moment's wait; what runs is finished, or handed on when the drain time is up. The two
    servers stay, and so do the settings: those are of the environment that `shoal up` was started with.
    """
    folder = Path(data_dir or os.environ.get("SHOAL_DATA_DIR") or ".shoal").absolute()
    facts = _ready(folder)
    if facts is None:
        print(f"shoal: nothing runs on data folder {folder}", file=sys.stderr)
        return 1
    pid, before = int(str(facts["pid"])), facts.get("renewals", 0)
    os.kill(pid, signal.SIGUSR1)
    until = time.monotonic() + _WITHIN_S
    while time.monotonic() < until:
        facts = _ready(folder)
        if facts is None:
            print("shoal: it was stopped meanwhile", file=sys.stderr)
            return 1
        if facts.get("renewals", 0) != before:
            print("All services have been started anew")
            return 0
        time.sleep(_LOOK_S)
    print(f"shoal: not done within {_WITHIN_S:.0f} s; its own lines say why", file=sys.stderr)
    return 1


def _ready(folder: Path) -> dict[str, object] | None:
    try:
        facts: dict[str, object] = json.loads((folder / "ready.json").read_text())
    except (OSError, ValueError):
        return None
    return facts
