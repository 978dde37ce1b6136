"""Runs every system attack in one set-up and prints what each met: a process of its own, so that it can be any user's.

Arguments: the layers to leave out.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from services.executor.mode import Artefact, Call
from services.executor.modes.python.mode import PythonMode, open_mode
from services.executor.modes.python.settings import PythonSettings
from shared.domain.outcome import Outcome
from tests.limits import limits
from tests.sandbox.breakout import breakout_call
from tests.sandbox.system_attacks import DEADLINE, Attack, attacks

INNOCENT = "def main(params):\n    return params['n'] + 1"


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def _innocent(mode: PythonMode) -> Call:
    made = await mode.prepare(INNOCENT)
    assert isinstance(made, Artefact)
    return Call(
        task_id="innocent",
        tenant="other",
        function_id=2,
        code_hash="innocent",
        artefact=made,
        params=b'{"n": 1}',
        context={},
        limits=limits(output_bytes=100, result_bytes=100),
    )


async def _one(mode: PythonMode, attack: Attack, innocent: Call) -> dict[str, Any]:
    timeout_s = 0.3 if attack.meets == DEADLINE else 10.0
    outcome = await mode.run(breakout_call(attack.body, timeout_s=timeout_s))
    after = await mode.run(innocent)
    return {"met": _met(outcome), "innocent": bytes(after.result) == b"2"}


def _met(outcome: Outcome) -> Any:
    if outcome.status == "FAILURE":
        broken = outcome.error_type == "WorkerDied" and "broke the protocol" in outcome.error
        return "broken" if broken else outcome.error_type
    said = json.loads(bytes(outcome.result))
    return said.get("errno", said.get("raised", said.get("value")))


async def main(without: tuple[str, ...]) -> None:
    """Print the report, what each attack met, and the descriptors that leaked."""
    settings = PythonSettings(without=without, most_spares=2, renewal_gap_s=1.0)
    mode = await open_mode(settings)
    innocent = await _innocent(mode)
    await mode.run(innocent)
    found = {name: await _one(mode, one, innocent) for name, one in attacks(os.uname().machine).items()}
    report, facts = mode.facts()["sandbox"], mode.facts()
    await mode.close()
    facts = {"violations": facts["violations"], "zygote_starts": facts["zygote_starts"], "uid": os.getuid()}
    print(json.dumps({"report": report, "found": found, "facts": facts, "descriptors": _descriptors()}))


if __name__ == "__main__":
    asyncio.run(main(tuple(sys.argv[1:])))
