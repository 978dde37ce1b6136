"""Commands that work on the store of this machine, or over HTTP where a context says so."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cli import contexts
from cli.exits import MISUSED, Fault, tell
from cli.opened import Where

if TYPE_CHECKING:
    from cli.remote import Remote

_DEFAULT = "default"


@Parameter(name="*")
@dataclass(frozen=True)
class Either(Where):
    """Which Shoal is meant: a store, or a server."""

    context: Annotated[str, Parameter(help="a server by its name (SHOAL_CONTEXT): over HTTP, not on the store")] = ""


def over_http(where: Either, work: "Callable[[Remote], int | None]", *, tenant: str = _DEFAULT) -> int | None:
    """Do the work over HTTP where that is meant; the exit code, or None where the store is meant.

    A folder that is named goes before the variables of a server, these before MONGODB_URL, and that before the context
    in use.
    """
    try:
        if not _is_elsewhere(where):
            return None
        if tenant != _DEFAULT:
            raise Fault(MISUSED, "--tenant is for the store: over HTTP it is the token's")
    except Fault as fault:
        tell(fault)
        return fault.code
    from cli import remote

    return remote.run(remote.Target(context=where.context, json=where.json), work)


def _is_elsewhere(where: Either) -> bool:
    if where.context:
        return True
    if where.data_dir:
        return False
    if os.environ.get("SHOAL_URL") or os.environ.get("SHOAL_CONTEXT"):
        return True
    if os.environ.get("MONGODB_URL") or os.environ.get("SHOAL_DATA_DIR"):
        return False
    return bool(contexts.read().current)
