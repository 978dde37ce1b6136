"""`shoal cancel`: ends calls that have not ended, and what they have called."""

from cli import asking, outcome, show
from cli.exits import DONE, MISUSED, Fault, tell
from cli.remote import HERE, Remote, Target, part, run

_COLUMNS = ("id", "task_id", "function", "status")


def cancel(*tasks: str, target: Target = HERE) -> int:
    """Cancel calls, by their tasks' ids or by their numbers. What cannot be cancelled is named; the others are.

    Example: shoal cancel 0190f5f2-8d1e-7cc3-a1b2-c3d4e5f60718 4711
    """

    def work(remote: Remote) -> int:
        if not tasks:
            raise Fault(MISUSED, "name the calls by their tasks' ids or by their numbers")
        asking.tell_place(remote.place, as_json=target.json)
        rows, code = [], DONE
        for task in tasks:
            try:
                which = task if outcome.is_number(task) else f"by-task-id/{part(task)}"
                row = remote.do("POST", f"/api/invocations/{which}/cancel/")
            except Fault as fault:
                tell(fault)
                code = code or fault.code
                continue
            rows.append(
                {
                    "id": row["id"],
                    "task_id": row["celery_task_id"],
                    "function": row["function_name"],
                    "status": row["task_status"],
                }
            )
        if rows or target.json:
            show.rows(rows, _COLUMNS, as_json=target.json)
        return code

    return run(target, work)
