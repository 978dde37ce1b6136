"""The recorder's projection, without a store."""

from typing import Any

import msgspec

from services.recorder.project import MAX_BODY_BYTES, project
from shared.bus.delivery import Delivery
from shared.bus.messages import Cut, Event, Finished, Invoke, Retrying, Started
from shared.domain.caller import User
from shared.domain.invocation import Timeline
from shared.domain.outcome import Outcome, expired, failure
from shared.domain.request import Request, Response

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


def finished(task_id: str, outcome: Outcome, *, sequence: int = 1, **fields: Any) -> Delivery[Event]:
    body = Finished(
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
        **fields,
    )
    return Delivery(body=body, sequence=sequence, count=1)


def started(task_id: str) -> Delivery[Event]:
    end = finished(task_id, failure("X", "y")).body
    fields = {name: getattr(end, name) for name in Started.__struct_fields__}
    return Delivery(body=Started(**fields), sequence=1, count=1)


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
    assert write.query["status"] == {"$nin": ["CANCELLED", "EXPIRED", "FAILURE", "SUCCESS"]}


def test_the_first_end_of_a_task_is_the_only_one() -> None:
    first = finished("t-1", Outcome(status="SUCCESS"))
    again = finished("t-1", failure("TimeoutError", "late"))
    (write,) = project([], [first, again])
    assert write.change["$set"]["status"] == "SUCCESS"


def asked(task_id: str, body: bytes) -> Delivery[Invoke]:
    request = Request(method="PUT", path="/v1/app_1/fn/f", headers=[("x-secret", "hush")], sealed="s", body=body)
    delivery = command(task_id)
    return Delivery(body=msgspec.structs.replace(delivery.body, request=request), sequence=1, count=1)


def test_a_request_is_recorded_with_what_was_asked_and_answered() -> None:
    response = Response(status=503, headers=[("set-cookie", "hush")])
    end = finished(
        "t-1", Outcome(status="SUCCESS", response=response), sequence=41, method="PUT", path="/v1/app_1/fn/f"
    )
    (write,) = project([asked("t-1", b'{"a": 1}')], [end])
    change = write.change["$set"]
    assert (change["method"], change["path"], change["status_code"]) == ("PUT", "/v1/app_1/fn/f", 503)
    assert (change["status"], change["failed"], change["event"]) == ("SUCCESS", True, 41)
    assert change["params"] == '{"a": 1}'
    assert "hush" not in str(write)
    assert write.document == {"_id": "t-1", **change}


def test_a_body_that_is_no_json_or_too_long_is_not_kept() -> None:
    long = b'"' + b"x" * MAX_BODY_BYTES + b'"'
    for body in (b"", b"name=x", b"\xff\xfe", b'"\xff"', b"{", long):
        (write,) = project([asked("t-1", body)], [])
        assert write.change["$set"]["params"] == "{}"
        assert write.change["$set"]["method"] == "PUT"


def test_what_did_not_fail_has_no_word_of_failure() -> None:
    outcomes = [
        (Outcome(status="SUCCESS", response=Response(status=399)), 399),
        (Outcome(status="SUCCESS", response=Response(status=404)), 404),
        (failure("TimeoutError", "late"), 504),
        (failure("ValueError", "bad"), 500),
        (failure("CpuLimitExceeded", "busy"), 504),
        (failure("ResultTooLarge", "long"), 502),
        (failure("FunctionNotFound", "gone"), 404),
    ]
    for outcome, status in outcomes:
        (write,) = project([], [finished("t-1", outcome, method="GET", path="/")])
        assert write.change["$set"]["status_code"] == status
        assert ("failed" in write.change["$set"]) == (status >= 400)


def test_a_start_never_undoes_an_end() -> None:
    (write,) = project([], [started("t-1")])
    assert write.query["status"] == {"$nin": ["CANCELLED", "EXPIRED", "FAILURE", "STARTED", "SUCCESS"]}
    assert write.change["$set"]["status"] == "STARTED"


def test_a_try_is_recorded_whatever_has_become_of_the_task_since() -> None:
    end = finished("t-1", failure("X", "y")).body
    fields = {name: getattr(end, name) for name in Retrying.__struct_fields__ if hasattr(end, name)}
    body = Retrying(**fields | {"attempt": 2}, error="X: y", error_class="timeout", due_at=1001.0)
    state, tried = project([], [Delivery(body=body, sequence=1, count=1)])
    assert (state.change["$set"]["status"], state.query["attempts"]) == ("RETRY", {"$not": {"$gte": 2}})
    assert tried.query == {"_id": "t-1"}
    assert "status" not in tried.change["$set"]
    kept = tried.change["$set"]["tries.2"]
    assert (kept["attempt"], kept["error_class"], kept["error"]) == (2, "timeout", "X: y")
    assert (kept["started_at"].timestamp(), kept["done_at"].timestamp()) == (1000.3, 1000.4)
    assert kept["due_at"].timestamp() == 1001.0


def test_runs_of_one_attempt_that_were_cut_are_told_apart() -> None:
    end = finished("t-1", failure("X", "y")).body
    fields = {name: getattr(end, name) for name in Cut.__struct_fields__}
    later = msgspec.structs.replace(end.timeline, started=1001.0)
    bodies = [Cut(**fields), Cut(**fields), Cut(**fields | {"timeline": later})]
    writes = project([], [Delivery(body=body, sequence=1, count=1) for body in bodies])
    names = [next(name for name in write.change["$set"] if name.startswith("tries.")) for write in writes]
    assert names == ["tries.1-1000300", "tries.1-1000300", "tries.1-1001000"]
    kept = writes[0].change["$set"]["tries.1-1000300"]
    assert (kept["error"], kept["due_at"]) == ("ExecutorLost: e-1 was not heard of again while it ran this", None)
    assert kept["error_class"] == "infrastructure"


def test_the_few_things_that_a_command_may_say() -> None:
    plain = command("t-1")
    asked = msgspec.structs.replace(plain.body, expires_at=1060.0, callback_url="https://a.example", redrive_of="t-0")
    (write,) = project([Delivery(body=asked, sequence=1, count=1)], [])
    change = write.change["$set"]
    assert (change["callback_url"], change["redrive_of"]) == ("https://a.example", "t-0")
    assert change["expires_at"].timestamp() == 1060.0
    (write,) = project([plain], [])
    assert not {"expires_at", "callback_url", "redrive_of"} & write.change["$set"].keys()


def test_what_was_said_to_run_may_have_come_too_late() -> None:
    """It was handed back before it began."""
    (write,) = project([], [finished("t-1", expired(30))])
    assert "STARTED" not in write.query["status"]["$nin"]


def test_many_tasks_stay_apart() -> None:
    writes = project([command("a"), command("b")], [finished("b", Outcome(status="SUCCESS")), started("c")])
    assert sorted(write.query["_id"] for write in writes) == ["a", "b", "c"]
    assert len(changes(writes)) == 3


def test_what_was_run_is_recorded_with_its_duration() -> None:
    (write,) = project([], [finished("t-1", Outcome(status="SUCCESS"))])
    assert write.change["$set"]["duration_us"] == 100_000
    never = Timeline(accepted=1000.0, routed=1000.1, done=1000.1)
    delivery = finished("t-1", failure("NotFound", "x"))
    refused = msgspec.structs.replace(delivery, body=msgspec.structs.replace(delivery.body, timeline=never))
    (write,) = project([], [refused])
    assert "duration_us" not in write.change["$set"]
