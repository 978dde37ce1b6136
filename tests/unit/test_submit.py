"""Task ids that are made of others."""

import uuid

from shared.submit import new_task_id, step_task_id


def test_a_step_has_the_same_id_each_time_and_no_other_step_has_it() -> None:
    parent = new_task_id()
    ids = {step_task_id(parent, step) for step in range(100)} | {step_task_id(new_task_id(), 1)}
    assert len(ids) == 101
    assert step_task_id(parent, 7) == step_task_id(parent, 7)


def test_it_is_a_uuid_of_version_7_from_its_parents_time() -> None:
    parent = new_task_id()
    made = uuid.UUID(step_task_id(parent, 1))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == uuid.UUID(parent).int >> 80
