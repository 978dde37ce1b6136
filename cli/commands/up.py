"""`shoal up`: bus, store and all services on this machine."""

import os
import sys
from typing import Annotated

from cyclopts import Parameter

from cli import contexts


def up(
    *,
    host: Annotated[str, Parameter(help="address of the public port (SHOAL_HOST, default 127.0.0.1)")] = "",
    port: Annotated[str, Parameter(help="public port, 0 for any free one (SHOAL_PORT, default 8000)")] = "",
    data_dir: Annotated[str, Parameter(help="folder for all that is kept (SHOAL_DATA_DIR, default .shoal)")] = "",
    workers: Annotated[str, Parameter(help="calls that run side by side (SHOAL_WORKERS, default: 2 x cores)")] = "",
) -> None:
    """Start Shoal on this machine: bus, store and all services, until Ctrl-C."""
    given = {"SHOAL_HOST": host, "SHOAL_PORT": port, "SHOAL_DATA_DIR": data_dir, "SHOAL_WORKERS": workers}
    inherited = {name: value for name, value in os.environ.items() if name not in contexts.VARIABLES}
    environ = inherited | {name: value for name, value in given.items() if value}
    # The supervisor lives as long as Shoal: it takes over this process, without what has read the command line.
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, "-m", "cli.supervisor"], environ)  # noqa: S606 - our own interpreter
