"""The recorder's projection, without a store."""

from typing import Any

import msgspec

from services.recorder.project import project
from shared.bus.delivery import Delivery
from shared.bus.messages import Finished, Invoke, Started
from shared.domain.caller import User
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome, failure

USER = User(id=3, username="ada", email="ada@example.com")


def command(task_id: str, sequence: int = 1) -> Delivery[Invoke]:
    body = Invoke(
        task_id=task_id,
        tenant="acme",
        function="f",
        function_id=7,
        function_name="F",
        revision=1,
        params=msgspec.Raw(b'{"a":1}'),
        trigger_type="api",
        user=USER,
        accepted_at=1000.0,
        app_slug="billing",
    )
    return Delivery(body=body, sequence=sequence, count=1)


def finished(task_id: str, outcome: Outcome) -> Finished:
    return Finished(
        id=1,
        task_id=task_id,
        tenant="acme",
        function="f",
        function_id=7,
        function_name="F",
        version="1.0.0",
        trigger_type="api",
        user=USER,
        timeline=Timeline(accepted=1000.0, routed=1000.1, picked=1000.2, started=1000.3, done=1000.4),
        delivery=1,
        executor="e-1",
        outcome=outcome,
    )


def started(task_id: str) -> Started:
    end = finished(task_id, failure("X", "y"))
    fields = {name: getattr(end, name) for name in Started.__struct_fields__}
    return Started(**fields)


def changes(writes: list[Any]) -> list[dict[str, Any]]:
    return [write.change["$set"] for write in writes]


def test_a_command_alone_is_pending_unless_something_is_on_record() -> None:
    (write,) = project([command("t-1", sequence=9)], [])
    assert write.query == {"_id": "t-1"}
    assert write.change["$setOnInsert"] == {"status": "PENDING"}
    assert write.change["$set"]["id"] == 9
    assert write.change["$set"]["params"] == '{"a":1}'
    assert write.change["$set"]["app_slug"] == "billing"
    assert "status" not in write.change["$set"]


def test_command_and_end_in_one_batch_are_one_write() -> None:
    end = finished("t-1", Outcome(status="SUCCESS", result=msgspec.Raw(b'{"ok":true}'), stdout="hi\n"))
    (write,) = project([command("t-1")], [end])
    change = write.change["$set"]
    assert (change["status"], change["result"], change["stdout"]) == ("SUCCESS", '{"ok":true}', "hi\n")
    assert (change["params"], change["app_slug"]) == ('{"a":1}', "billing")
    assert write.query["status"] == {"$nin": ["FAILURE", "SUCCESS"]}


def test_the_first_end_of_a_task_is_the_only_one() -> None:
    first = finished("t-1", Outcome(status="SUCCESS"))
    again = finished("t-1", failure("TimeoutError", "late"))
    (write,) = project([], [first, again])
    assert write.change["$set"]["status"] == "SUCCESS"


def test_a_start_never_undoes_an_end() -> None:
    (write,) = project([], [started("t-1")])
    assert write.query["status"] == {"$nin": ["FAILURE", "STARTED", "SUCCESS"]}
    assert write.change["$set"]["status"] == "STARTED"


def test_many_tasks_stay_apart() -> None:
    writes = project([command("a"), command("b")], [finished("b", Outcome(status="SUCCESS")), started("c")])
    assert sorted(write.query["_id"] for write in writes) == ["a", "b", "c"]
    assert len(changes(writes)) == 3
