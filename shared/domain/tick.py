"""A tick: one moment at which a schedule comes due, and what became of it."""

from typing import Literal

import msgspec

State = Literal["fired", "late", "caught_up", "skipped"]


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a tick. `due` and `until` are Unix seconds, `late_s` is how late it was decided.

    A skipped tick has a `reason` and no run. One entry stands for all that were missed in one go: `count` of them, from
    `due` until `until`.
    """

    task_id: str
    tenant: str
    function_id: int
    due: int
    state: State
    late_s: float = 0.0
    reason: str = ""
    count: int = 1
    until: int = 0
