"""`shoal result`: how a call has ended, of now or of before."""

from typing import Annotated

from cyclopts import Parameter

from cli import outcome
from cli.options import seconds
from cli.remote import HERE, Remote, Target, run


def result(
    task: str,
    /,
    *,
    wait: Annotated[float, Parameter(help="seconds to wait for the end")] = 0.0,
    lines: Annotated[bool, Parameter(negative="", help="show what it printed, and its traceback, on stderr")] = False,
    target: Target = HERE,
) -> int:
    """Print the result of a call, by its task's id or by its number.

    Example: shoal result 0190f5f2-8d1e-7cc3-a1b2-c3d4e5f60718 --wait 60
    """

    def work(remote: Remote) -> int:
        within_s = seconds(wait, option="--wait")
        return outcome.tell(outcome.awaited(remote, task, within_s=within_s), lines=lines, as_json=target.json)

    return run(target, work)
