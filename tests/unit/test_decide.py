"""The router's decision, without a bus."""

from datetime import UTC, datetime

import msgspec
import pytest

from services.router.decide import Moment, Refuse, Send, decide
from shared.bus.messages import Invoke
from shared.domain.function import ActiveVersion, Function
from shared.domain.tenant import Tenant
from tests.limits import PLATFORM

TENANT = Tenant(slug="acme")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
COMMAND = Invoke(
    task_id="t-1",
    tenant="acme",
    function="calculate-tax",
    function_id=7,
    function_name="Calculate Tax",
    revision=3,
    params=msgspec.Raw(b'{"amount":1}'),
    trigger_type="api",
    user=None,
    accepted_at=1000.0,
    reply_to="reply.a.t-1",
)
FUNCTION = Function(
    id=7,
    tenant="acme",
    app=1,
    app_slug="finance",
    app_name="Finance",
    name="Calculate Tax",
    slug="calculate-tax",
    execution_mode="app",
    config={"timeout": 12},
    active=ActiveVersion(id=1, version="1.0.0", code_hash="abc"),
    created_at=NOW,
    updated_at=NOW,
)


def decided(
    function: Function | None, *, id: int = 42, routed_at: float = 1.0, tenant: Tenant = TENANT
) -> Send | Refuse:
    return decide(COMMAND, id=id, function=function, tenant=tenant, bounds=PLATFORM, moment=Moment(routed_at))


def test_what_a_tenant_has_queued_ends_when_it_is_not_active_any_more() -> None:
    decision = decided(FUNCTION, tenant=Tenant(slug="acme", is_active=False))
    assert isinstance(decision, Refuse)
    assert decision.outcome.message == "TenantNotActive: The tenant acme is not active"


def test_what_is_late_is_refused_unless_it_may_be_queued_already() -> None:
    late = msgspec.structs.replace(COMMAND, expires_at=1060.0)
    for routed_at, repeated, kind in ((1059.0, False, Send), (1060.0, False, Refuse), (1060.0, True, Send)):
        moment = Moment(routed_at, repeated=repeated)
        decision = decide(late, id=1, function=FUNCTION, tenant=TENANT, bounds=PLATFORM, moment=moment)
        assert isinstance(decision, kind)
        if isinstance(decision, Refuse):
            assert (decision.outcome.status, decision.outcome.error[-10:]) == ("EXPIRED", "60 seconds")


def test_code_goes_to_the_pool_of_its_environment() -> None:
    decision = decided(FUNCTION, id=42, routed_at=1000.5)
    assert isinstance(decision, Send)
    assert decision.pool == "python"
    dispatch = decision.dispatch
    assert (dispatch.id, dispatch.task_id, dispatch.code_hash, dispatch.version) == (42, "t-1", "abc", "1.0.0")
    assert dispatch.limits.timeout_s == 12.0
    assert bytes(dispatch.params) == b'{"amount":1}'
    assert (dispatch.timeline.accepted, dispatch.timeline.routed) == (1000.0, 1000.5)
    assert dispatch.reply_to == "reply.a.t-1"


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (None, "FunctionNotFound"),
        (msgspec.structs.replace(FUNCTION, is_active=False), "FunctionNotFound"),
        (msgspec.structs.replace(FUNCTION, id=8), "FunctionNotFound"),  # deleted, and made anew under the same slug
        (msgspec.structs.replace(FUNCTION, active=None), "NoActiveCode"),
    ],
)
def test_what_cannot_run_is_refused_with_a_reason(function: Function | None, error: str) -> None:
    decision = decided(function, id=42, routed_at=1000.5)
    assert isinstance(decision, Refuse)
    assert decision.outcome.status == "FAILURE"
    assert decision.outcome.error_type == error


def test_other_modes_have_a_pool_of_their_own() -> None:
    proxy = msgspec.structs.replace(FUNCTION, execution_mode="proxy", active=None)
    decision = decided(proxy, id=1, routed_at=1.0)
    assert isinstance(decision, Send)
    assert decision.pool == "proxy"


def test_the_lane_of_calls_is_for_those_that_somebody_waits_for() -> None:
    """A callback, and what was redriven, name the call that they come from, too."""
    called = msgspec.structs.replace(COMMAND, parent_task_id="t-0")
    for command, lane in ((called, "called"), (msgspec.structs.replace(called, reply_to=""), "all"), (COMMAND, "all")):
        moment = Moment(routed_at=1000.5)
        decision = decide(command, id=1, function=FUNCTION, tenant=TENANT, bounds=PLATFORM, moment=moment)
        assert isinstance(decision, Send)
        assert decision.dispatch.lane == lane
