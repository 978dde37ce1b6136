"""What a handler is given, attacked; and then another tenant calls."""

import textwrap

import pytest

from services.executor.mode import Artefact, Refusal
from services.executor.modes.python.mode import PythonMode
from shared.domain.request import Request
from tests.python_mode.asking import PlayedHost, handling, request_call, response_of
from tests.sandbox.attacked import answers
from tests.sandbox.handler_attacks import FAILS, REFUSED, TELLING

pytestmark = pytest.mark.asyncio(loop_scope="session")

FLOOD = Request(method="GET", query="&".join(f"a{n}=1" for n in range(2000)))
_OURS = {"transfer-encoding", "content-length", "upgrade"}


def source_of(body: str) -> str:
    return f"def handler(request, ctx):\n{textwrap.indent(body, '    ')}\n    return 'escaped'"


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_at_upload(mode: PythonMode, name: str) -> None:
    assert isinstance(await mode.prepare(source_of(REFUSED[name])), Refusal)


@pytest.mark.parametrize("name", FAILS)
async def test_fails_in_the_worker(mode: PythonMode, name: str) -> None:
    source, host = source_of(FAILS[name]), PlayedHost()
    assert isinstance(await mode.prepare(source), Artefact), "it is meant to reach the worker"
    outcome = await mode.run(await request_call(mode, source, FLOOD, host=host))
    assert outcome.response is None
    assert outcome.error_type in ("SandboxError", "MemoryError"), outcome
    assert host.asked == []
    assert await answers(mode)


@pytest.mark.parametrize("name", TELLING)
async def test_what_it_comes_to_is_harmless(mode: PythonMode, name: str) -> None:
    body, harmless = TELLING[name]
    response = response_of(await mode.run(await request_call(mode, handling(body))))
    assert response.body.decode() == harmless
    assert not {line[0].lower() for line in response.headers} & _OURS
