"""The life of an invocation, as whatever order of events the dice come to: its record keeps to the table of statuses.

A step is what a client does, or what befalls a service; between two steps nothing waits for anything. Everything runs
as processes on real servers, and every change of a record is told by the database itself.
"""

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule, run_state_machine_as_test

from chaos import effects
from chaos.ledger import Submission
from tests.chaos.world import KILL, SERVICES, TERM, WITHIN_S, Asked, End, World

EXAMPLES, STEPS = 3, 12
A_WHILE_S = 1.5
_numbers = count(1)
_worlds: list[World] = []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("machine")) as world:
        _worlds.append(world)
        yield world
        _worlds.clear()


class Life(RuleBasedStateMachine):
    """Wishes are asked for side by side with whatever happens; their answers are taken up at the end."""

    wishes = Bundle("wishes")

    def __init__(self) -> None:
        super().__init__()
        self.world = _worlds[0]
        self.steps: list[str] = []
        self.faults_before = len(self.world.witness.faults)
        self.asked: dict[int, tuple[Submission, Asked]] = {}

    @rule(
        target=wishes,
        what=st.sampled_from(["quick", "slow", "slow", "flaky", "failing"]),
        keyed=st.booleans(),
        waits=st.booleans(),
    )
    def ask(self, what: str, keyed: bool, waits: bool) -> int:
        number = next(_numbers)
        self.steps.append(f"{number}: {what}{', keyed' * keyed}{', waited for' * waits}")
        one = self.world.ledger.open(number, what, key=f"machine-{number}" if keyed else "")
        self._ask(one, what, waits=waits)
        return number

    @rule(number=wishes, waits=st.booleans())
    def ask_again(self, number: int, waits: bool) -> None:
        """What has a key may be asked for again."""
        one, _ = self.asked[number]
        if one.key:
            self.steps.append(f"{number}: asked again")
            self._ask(one, one.kind, waits=waits)

    def _ask(self, one: Submission, what: str, *, waits: bool) -> None:
        slug, params = {
            "quick": (effects.PLAIN, {}),
            "slow": (effects.PLAIN, {"pause_s": 0.6}),
            "flaky": (effects.FLAKY, {"failures": 2, "after_s": 0.2}),
            "failing": (effects.FLAKY, {"failures": 9, "after_s": 0.1}),
        }[what]
        before = self.asked[one.number][1] if one.number in self.asked else None
        self.asked[one.number] = one, self.world.ask(one, slug, params, waits=waits, after=before)

    @rule(number=wishes)
    def cancel(self, number: int) -> None:
        self.steps.append(f"{number}: cancelled")
        one, asked = self.asked[number]
        asked.result(WITHIN_S * 2)
        self.world.do(self.world.cancel(one))

    @rule(number=wishes)
    def it_ends(self, number: int) -> None:
        self.steps.append(f"{number}: ends")
        one, asked = self.asked[number]
        asked.result(WITHIN_S * 2)
        self.world.do(self.world.until_ended(set(one.given)))

    @rule(number=wishes)
    def send_the_command_again(self, number: int) -> None:
        """As a publisher does that has not heard of its acknowledgement."""
        self.steps.append(f"{number}: its command again")
        for task_id in self.asked[number][0].given:
            self.world.do(self.world.repeat("invoke", task_id, id=task_id))

    @rule(number=wishes)
    def hand_the_work_out_again(self, number: int) -> None:
        """As a bus does that has not heard of its settlement, to an executor that knows nothing."""
        self.steps.append(f"{number}: its work again")
        self.asked[number][1].result(WITHIN_S * 2)
        for task_id in self.asked[number][0].given:
            self.world.do(self.world.repeat("work", task_id, id=None))

    @rule(service=st.sampled_from(SERVICES), how=st.sampled_from([KILL, KILL, TERM]))
    def end_a_service(self, service: str, how: str) -> None:
        self.steps.append(f"{service}: {how}")
        self.world.do(self.world.end(service, how=how))

    @rule()
    def something_happens(self) -> None:
        self.steps.append("something happens")
        self.world.do(self.world.something(within_s=A_WHILE_S))

    def teardown(self) -> None:
        """With all services up, everybody gets an answer, and everything ends, in one record each.

        What is wrong is kept, not raised: hypothesis would run the same steps again, which never go the same way.
        """
        faults = self._told_wrong()
        given = {task_id for one, _ in self.asked.values() for task_id in one.given}
        faults += [f"{task_id} has not ended" for task_id in self.world.do(self.world.until_ended(given))]
        for task_id in given:  # whatever comes now, an end stays
            self.world.do(self.world.repeat("work", task_id, id=None))
        self.world.do(self.world.settled(next(_numbers)))
        cancelled = {task_id for one, _ in self.asked.values() for task_id in one.cancelled}
        ends = self.world.witness.ends
        faults += [f"{id} was said to be cancelled, and is {ends.get(id)}" for id in cancelled if not _is_off(ends, id)]
        faults += self.world.witness.faults[self.faults_before :]
        if faults:
            self.world.failures.append("\n".join([*faults, "after these steps:", *self.steps]))

    def _told_wrong(self) -> list[str]:
        for _, asked in self.asked.values():
            asked.result(WITHIN_S * 2)
        return [
            f"{one.kind} {one.number} with key {one.key!r} was told {one.given}"
            for one, _ in self.asked.values()
            if len(one.given) != 1
        ]


def _is_off(ends: dict[str, End], task_id: str) -> bool:
    return task_id in ends and ends[task_id][0] == "CANCELLED"


def test_a_record_keeps_to_the_table_of_statuses(world: World) -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),  # a shorter example would take another run of every step
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert not world.failures, "\n\n".join(world.failures)
    assert not world.ledger.odd
    ended = world.witness.ends
    assert len(ended) >= EXAMPLES
    assert {end[0] for end in ended.values()} <= {"SUCCESS", "FAILURE", "CANCELLED"}
