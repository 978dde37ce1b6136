"""Code that is looked into, attacking from its module: what the worker says then is believed no more than in a call."""

import json
from typing import Any

import msgspec
import pytest

from services.executor.mode import Examination
from services.executor.modes.python.mode import PythonMode
from shared.domain.outcome import Outcome
from tests.sandbox.attacked import answers
from tests.sandbox.breakout import breakout_call

pytestmark = pytest.mark.asyncio(loop_scope="session")

_FRAMES = "import sys\nframes = sys.modules['services.executor.modes.python.frames']\n"
_NONCE = """
own = sys._getframe()
while not hasattr(own.f_locals.get('call'), 'nonce'):
    own = own.f_back
nonce = own.f_locals['call'].nonce
"""


def asking(question: str) -> str:
    return f"{_FRAMES}{_NONCE}os.write(3, frames.pack(frames.{question}))\ntime.sleep(60)"


BROKEN = {
    "nonsense": "os.write(3, b'x' * 1000)\ntime.sleep(60)",
    "a reply to another call": "os.write(3, forged(1))\ntime.sleep(60)",
    "a length over the limit": "os.write(3, b'\\xff' * 8)\ntime.sleep(60)",
    "what is no JSON": "reply(result=b'{')",
    "over the limit of output": "reply(stdout='x')",
    "a line where there can be none": "reply(lines=[(0.0, 'info', 'x')])",
    "what is nested too deeply": "reply(result=b'[' * 900 + b']' * 900)",
    "a question for a variable": asking("NeedFrame(nonce, 'env')"),
    "a question for somebody": asking("NeedFrame(nonce, 'person')"),
    "a claim": asking("ClaimFrame(nonce, 'k', 's', 1.0)"),
}


async def attacked(mode: PythonMode, body: str, **changes: Any) -> Outcome:
    call = breakout_call(body, at_once=True, **changes)
    limits = msgspec.structs.replace(call.limits, output_bytes=0, log_lines=0)
    call = msgspec.structs.replace(call, function_id=0, limits=limits, examination=Examination(what="code"))
    outcome = await mode.run(call)
    assert await answers(mode)
    return outcome


@pytest.mark.parametrize("name", BROKEN)
async def test_what_no_honest_worker_says(mode: PythonMode, name: str) -> None:
    outcome = await attacked(mode, BROKEN[name])
    assert (outcome.error_type, "broke the protocol" in outcome.error) == ("WorkerDied", True), outcome


@pytest.mark.parametrize(
    ("body", "ends"),
    [
        ("os._exit(0)", "WorkerDied"),
        ("ctypes.string_at(0)", "WorkerDied"),
        ("while True: pass", "TimeoutError"),
        ("while True: print('x' * 1000)", "TimeoutError"),
        ("libc.ptrace(0, 0, 0, 0)", "SandboxViolation"),
    ],
)
async def test_how_a_worker_ends(mode: PythonMode, body: str, ends: str) -> None:
    outcome = await attacked(mode, body, timeout_s=1.0)
    assert outcome.error_type == ends


@pytest.mark.parametrize(
    "body", ["return os.fork()", "return _thread.start_new_thread(print, ())", "open('/etc/passwd')"]
)
async def test_what_is_refused_it_goes_on_without(mode: PythonMode, body: str) -> None:
    """The module has a `main`, and that is all that is found."""
    outcome = await attacked(mode, body)
    assert outcome.status == "SUCCESS"
    assert json.loads(bytes(outcome.result))["kind"] == "function"
