"""`shoal delete`: takes a function away."""

from typing import Annotated

from cyclopts import Parameter

from cli import asking, show
from cli.exits import UNDONE, Fault
from cli.opened import OpenError
from cli.remote import HERE, Remote, Target, part, run


def delete(
    name: str,
    /,
    *,
    for_good: Annotated[bool, Parameter(negative="", help="with its code, history and logs")] = False,
    yes: Annotated[bool, Parameter(negative="", help="do not ask")] = False,
    target: Target = HERE,
) -> int:
    """Delete a function. Deployed again it is who it was, with its logs and its variables; not after --for-good.

    Example: shoal delete tax --yes
    """

    def work(remote: Remote) -> None:
        found = remote.get(remote.function(name))
        lost = "with all that belongs to it" if for_good else "until it is deployed again"
        try:
            what = f"{name} of app {remote.app} will be gone {lost}"
            asking.sure(what, name, place=remote.place, yes=yes, as_json=target.json)
        except OpenError as error:
            raise Fault(UNDONE, str(error)) from None
        if for_good:
            remote.do("DELETE", f"/api/functions/{part(found['slug'])}/")
        else:
            remote.do("DELETE", remote.function(name))
        show.done(f"{name} is deleted", {"name": name, "deleted": True, "for_good": for_good}, as_json=target.json)

    return run(target, work)
