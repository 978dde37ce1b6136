"""What a callback may be told to, how it is signed, and what it says."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from services.executor.modes.system.callback import event_of
from shared import registry
from shared.domain.callback import (
    callback_url_of,
    check_callback_url,
    check_callbacks,
    check_expires_in,
    expires_in_of,
    signed_headers,
)
from shared.domain.function import Function, check_config
from shared.domain.invocation import Invocation
from shared.domain.problem import Problem
from shared.submit import Origin, new_task_id, submit
from tests.limits import PLATFORM

WEEK_S = 7 * 86_400
URL = "https://example.org/ended?of=tax"
NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC)


@pytest.mark.parametrize("url", [URL, "http://[2001:db8::1]:8080/", "HTTPS://Example.org", f"https://a.b/{'x' * 1988}"])
def test_addresses(url: str):
    check_callback_url(url)
    assert callback_url_of({"callback_url": url}) == url


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("", "must begin with"),
        ("ftp://example.org/", "must begin with"),
        ("//example.org/", "must begin with"),
        ("https://", "must have a host"),
        ("https://user@example.org/", "user"),
        ("https://user:word@example.org/", "user"),
        ("https://example.org\\@evil.org/", "user"),
        ("https://example.org/#part", "fragment"),
        ("https://example.org/#", "fragment"),
        ("https://example.org/a b", "spaces"),
        ("https://example.org/\n", "spaces"),
        ("https://example.org:99999/", "not a URL"),
        (f"https://a.b/{'x' * 1989}", "longer than 2000"),
    ],
)
def test_what_is_no_address(url: str, fault: str):
    with pytest.raises(Problem, match=fault) as caught:
        check_callback_url(url, field="config.callback_url")
    assert (caught.value.code, list(caught.value.fields)) == ("invalid", ["config.callback_url"])
    assert callback_url_of({"callback_url": url}) == ""


@pytest.mark.parametrize("seconds", [0, -1, WEEK_S + 1, True, "60", None, float("nan"), float("inf")])
def test_what_is_no_expiry(seconds: Any):
    with pytest.raises(Problem, match=r"config\.expires_in must be a number of seconds above 0 and at most 604800"):
        check_config({"expires_in": seconds}, PLATFORM.most, tenant={})
    with pytest.raises(Problem, match=r"^expires_in must"):
        check_expires_in(seconds)
    assert expires_in_of({"expires_in": seconds}) == 0


def test_what_a_function_may_say():
    check_config({"callback_url": URL, "expires_in": WEEK_S}, PLATFORM.most, tenant={})
    check_callbacks({"callback_url": "", "expires_in": 0.5})
    assert (expires_in_of({"expires_in": 0.5}), expires_in_of({}), callback_url_of({})) == (0.5, 0, "")
    for wrong in (7, None, ["https://example.org"], {}):
        with pytest.raises(Problem, match=r"config\.callback_url must be a text"):
            check_config({"callback_url": wrong}, PLATFORM.most, tenant={})
        assert callback_url_of({"callback_url": wrong}) == ""


class Kept:
    """Takes commands as the bus does."""

    def __init__(self) -> None:
        self.commands: list[Any] = []
        self.admission = None

    async def store(self, _subject: str, command: Any, *, id: str) -> Any:
        self.commands.append(command)
        return type("Stored", (), {"sequence": 1, "duplicate": False, "id": id})


def function_of(**config: Any) -> Function:
    return Function(
        id=1, tenant="acme", app=1, app_slug="a", app_name="A", name="F", slug="f", execution_mode="app",
        created_at=NOW, updated_at=NOW, config=config,
    )  # fmt: skip


@pytest.mark.parametrize("trigger", ["api", "schedule", "http", "function", "webhook", "websocket", "s3_upload"])
async def test_a_functions_own_hold_for_every_trigger_and_the_requests_go_before(trigger: Any):
    bus: Any = Kept()
    function = function_of(callback_url=URL, expires_in=60)
    params = msgspec.Raw(b"{}")
    before = time.time()
    await submit(bus, function, task_id=new_task_id(), params=params, origin=Origin(trigger_type=trigger))
    asked = Origin(trigger_type=trigger, callback_url="https://example.org/other", expires_at=7.0)
    await submit(bus, function, task_id=new_task_id(), params=params, origin=asked)
    own, requested = bus.commands
    assert own.callback_url == URL
    assert before + 60 <= own.expires_at == own.accepted_at + 60
    assert (requested.callback_url, requested.expires_at) == ("https://example.org/other", 7.0)


async def test_a_callback_has_none():
    bus: Any = Kept()
    function = registry.WITHOUT_PACKAGES.function("acme", "deliver_callback")
    assert function is not None
    origin = Origin(trigger_type="function")
    await submit(bus, function, task_id=new_task_id(), params=msgspec.Raw(b"{}"), origin=origin)
    assert (bus.commands[0].callback_url, bus.commands[0].expires_at) == ("", 0.0)


def test_a_callback_is_known_to_the_platform_and_offered_to_nobody():
    known = registry.WITHOUT_PACKAGES
    assert "deliver_callback" in known
    assert "deliver_callback" not in known.slugs
    assert known.offered("acme", "deliver_callback") is None
    assert known.offered("acme", "example") == known.function("acme", "example") is not None


def test_signatures_as_they_are_published():
    """The example of the specification's own libraries; and one by each secret."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = signed_headers(
        [secret], id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}'
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    other = "whsec_" + "A" * 43 + "="
    both = signed_headers([other, secret], id="i", timestamp=1, body=b"")["webhook-signature"].split(" ")
    alone = [signed_headers([one], id="i", timestamp=1, body=b"")["webhook-signature"] for one in (other, secret)]
    assert both == alone


def record_of(**fields: Any) -> Invocation:
    return Invocation(
        **{
            "id": 7, "task_id": new_task_id(), "tenant": "acme", "function_id": 1, "function_name": "F",
            "function_slug": "f", "trigger_type": "schedule", "status": "SUCCESS", "attempts": 2, "created_at": NOW,
            "started_at": NOW, "done_at": NOW + timedelta(seconds=1), "duration_us": 1_234_567, **fields,
        }
    )  # fmt: skip


def told(record: Invocation, most_bytes: int = 100) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(event_of(record, most_bytes=most_bytes)))
    assert found["timestamp"] == "2026-01-02T03:04:06.678Z"
    data: dict[str, Any] = found["data"]
    return data


def test_what_is_told_of_a_success():
    record = record_of(result='{"total":1.0}', method="POST", path="/", status_code=201, parent_task_id="p")
    assert told(record) == {
        "task_id": record.task_id, "id": 7, "function": "f", "function_name": "F", "status": "SUCCESS",
        "success": True, "result": {"total": 1.0}, "result_path": f"/api/functions/result/{record.task_id}/",
        "error": None, "status_code": 201, "attempts": 2, "trigger_type": "schedule", "user_username": None,
        "parent_task_id": "p", "created_at": "2026-01-02T03:04:05.678Z", "started_at": "2026-01-02T03:04:05.678Z",
        "done_at": "2026-01-02T03:04:06.678Z", "duration_ms": 1234.567,
    }  # fmt: skip


@pytest.mark.parametrize("status", ["FAILURE", "CANCELLED", "EXPIRED"])
def test_what_is_told_of_another_end(status: Any):
    """What never ran has no beginning; what there was all the same is told, unless it is too large."""
    fields = {"status": status, "error_type": "Expired", "error": "too late", "started_at": None}
    data = told(record_of(**fields))
    assert (data["status"], data["success"], data["result"], "response" in data) == (status, False, None, False)
    assert data["error"] == {"type": "Expired", "message": "too late"}
    assert (data["started_at"], data["duration_ms"]) == (None, None)
    data = told(record_of(**fields, result='{"steps":[]}'))
    assert (data["result"], data["response"]) == (None, {"steps": []})
    data = told(record_of(**fields, result='"' + "x" * 99 + '"'))
    assert ("response" in data, data["result_omitted"]) == (False, True)


def test_the_bound_is_of_bytes():
    assert told(record_of(result='"' + "é" * 49 + '"'))["result"] == "é" * 49
    assert told(record_of(result='"' + "é" * 50 + '"'))["result_omitted"] is True
