"""Which hook of a plugin is called, with what, and what becomes of what it returns."""

import json
from typing import Any

import pytest

from services.executor.modes.python.given import GIVEN
from services.executor.modes.python.mode import PythonMode
from shared.domain.request import Request
from tests.python_mode.asking import PlayedHost
from tests.python_mode.calling import value_of
from tests.python_mode.opening import Open
from tests.python_mode.plugging import ADA, fault_of, plugin_call, ran, result_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

FILTER = """
class Filter:
    def inlet(self, body):
        return {"inlet": body}

    async def outlet(self, body):
        return {"outlet": body}

    def stream(self, event):
        return {"stream": event}
"""
PIPE = """
class Pipe:
    def pipes(self):
        return [{"id": "a", "name": "A"}]

    def pipe(self, body):
        return f"piped {body['x']}"
"""
ACTION = """
class Action:
    actions = [{"id": "one", "name": "One"}]

    async def action(self, body, __id__):
        return [body, __id__]
"""


def piping(body: str, signature: str = "self, body") -> str:
    return f"class Pipe:\n    def pipe({signature}):\n        " + body.replace("\n", "\n        ")


@pytest.mark.parametrize(
    ("source", "params", "result"),
    [
        (FILTER, {"x": 1}, {"inlet": {"x": 1}}),
        (FILTER, {}, {"inlet": {}}),
        (FILTER, [1, 2], {"inlet": [1, 2]}),
        (FILTER, "text", {"inlet": "text"}),
        (FILTER, {"body": {"x": 1}, "model": 3}, {"inlet": {"x": 1}}),
        (FILTER, {"body": None}, {"inlet": None}),
        (FILTER, {"hook": "inlet"}, {"inlet": {}}),
        (FILTER, {"hook": "inlet", "body": [1]}, {"inlet": [1]}),
        (FILTER, {"hook": None, "body": 1}, {"inlet": 1}),
        (FILTER, {"hook": "outlet", "body": {"x": 1}}, {"outlet": {"x": 1}}),
        (FILTER, {"hook": "stream", "event": {"e": 1}, "body": 2}, {"stream": {"e": 1}}),
        (FILTER, {"hook": "stream", "body": {"e": 2}}, {"stream": {"e": 2}}),
        (PIPE, {"x": 1}, "piped 1"),
        (PIPE, {"hook": "pipe", "body": {"x": 2}}, "piped 2"),
        (PIPE, {"hook": "pipes"}, [{"id": "a", "name": "A"}]),
        (ACTION, {"body": 1}, [1, "tuner"]),
        (ACTION, {"hook": "action", "body": 1, "id": "one"}, [1, "one"]),
        (ACTION, {"hook": "actions"}, [{"id": "one", "name": "One"}]),
        ("class Pipe:\n    pipes = [1]\n    def pipe(self): return 1", {"hook": "pipes"}, [1]),
    ],
)
async def test_each_hook(mode: PythonMode, source: str, params: Any, result: Any) -> None:
    assert await result_of(mode, source, params) == result


async def test_the_first_of_the_three_classes_counts(mode: PythonMode) -> None:
    source = "Pipe = 'none'\n" + ACTION + FILTER + "\ndef main(params): return 'main'"
    assert await result_of(mode, source, {"x": 1}) == {"inlet": {"x": 1}}
    assert await result_of(mode, source + PIPE, {"x": 1}) == "piped 1"


async def test_a_module_without_a_class_is_a_function(mode: PythonMode) -> None:
    source = "def main(params, context):\n    return [params, context['username']]"
    assert await result_of(mode, source, {"hook": "inlet", "x": 1}) == [{"hook": "inlet", "x": 1}, "ada"]


async def test_a_class_of_a_function_that_is_no_plugin_is_its_own_affair(mode: PythonMode, run: Any) -> None:
    outcome = await run(FILTER + "\ndef main(params): return 'main'")
    assert value_of(outcome) == "main"


@pytest.mark.parametrize(
    ("source", "params", "error"),
    [
        (FILTER, {"hook": "pipe"}, "the hooks of a class Filter are inlet, outlet, stream, and not 'pipe'"),
        (FILTER, {"hook": ["inlet"]}, "the hooks of a class Filter are inlet, outlet, stream, and not \"['inlet']\""),
        (FILTER, {"hook": "__init__"}, "the hooks of a class Filter are inlet, outlet, stream, and not '__init__'"),
        (PIPE, {"hook": "inlet"}, "the hooks of a class Pipe are pipe, pipes, and not 'inlet'"),
        (ACTION, {"hook": ""}, "the hooks of a class Action are action, actions, and not ''"),
        (
            "class Filter:\n    def outlet(self, body): return body",
            {},
            "the class Filter has no method 'inlet'; of the hooks it has: outlet",
        ),
        ("class Action:\n    pass", {}, "the class Action has no method 'action'; of the hooks it has: none"),
        ("class Pipe:\n    pipe = 3", {}, "the class Pipe has no method 'pipe'; of the hooks it has: pipe"),
        ("x = 1", {}, "Code must define a 'main' function"),
    ],
)
async def test_a_hook_that_is_not_there(mode: PythonMode, source: str, params: Any, error: str) -> None:
    assert await fault_of(mode, source, params) == error


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (piping("return body['none']"), "Execution failed: KeyError: 'none'"),
        ("class Pipe:\n    def __init__(self): raise ValueError('not now')", "Execution failed: ValueError: not now"),
        ("class Pipe:\n    def __init__(self, x): pass", "missing 1 required positional argument: 'x'"),
        (piping("return 1", "self, body, other"), "missing 1 required positional argument: 'other'"),
        (piping("return {1, 2}"), "TypeError: result is not JSON serializable: Object of type set is not JSON"),
        (piping("return float('nan')"), "result is not JSON serializable"),
        (piping("yield 1\nraise ValueError('half-way')"), "Execution failed: ValueError: half-way"),
        (piping("yield {1}"), "result is not JSON serializable"),
        ("class Pipe:\n    async def pipe(self): raise ValueError('later')", "Execution failed: ValueError: later"),
    ],
)
async def test_a_hook_that_fails(mode: PythonMode, source: str, error: str) -> None:
    assert error in await fault_of(mode, source)


async def test_a_failure_has_its_line(mode: PythonMode) -> None:
    outcome = await ran(mode, piping("x = 1\nreturn x / 0"))
    assert 'File "<function>", line 4, in pipe' in outcome.traceback


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("yield 'a'\nyield 'ß'\nyield ''", "aß"),
        ("if False: yield 1", ""),
        ("yield 'a'\nyield {'b': [1]}\nyield None", ["a", {"b": [1]}, None]),
        ("return (str(n) for n in range(4))", "0123"),
        ("return None", None),
        ("return 'text'", "text"),
        ("return (1, 2)", [1, 2]),
        ("box = {}\nfor n in range(3):\n    box['n'] = n\n    yield box", [{"n": 0}, {"n": 1}, {"n": 2}]),
    ],
)
async def test_what_comes_in_parts(mode: PythonMode, body: str, result: Any) -> None:
    assert await result_of(mode, piping(body)) == result
    if "return (" not in body and "yield" in body:
        assert await result_of(mode, piping(body).replace("def pipe", "async def pipe")) == result


async def test_a_coroutine_that_makes_a_generator(mode: PythonMode) -> None:
    source = (
        "class Pipe:\n    async def pipe(self):\n        def parts():\n            yield 'x'\n            yield 'y'\n"
    )
    assert await result_of(mode, source + "        return parts()") == "xy"


@pytest.mark.parametrize("part", ["'x' * 100", "['x' * 100]"])
async def test_a_generator_without_an_end_is_cut_at_the_limit_of_results(mode: PythonMode, part: str) -> None:
    outcome = await ran(mode, piping(f"while True: yield {part}"), result_bytes=10_000)
    assert (outcome.error_type, outcome.error) == (
        "ResultTooLarge",
        "the result has more than the limit of 10000 bytes",
    )


async def test_texts_are_measured_as_json_in_the_end(mode: PythonMode) -> None:
    outcome = await ran(mode, piping("for n in range(90): yield 'ß'"), result_bytes=100)
    assert outcome.error == "the result has 182 bytes, over the limit of 100 bytes"


@pytest.mark.parametrize(
    ("signature", "told"),
    [
        ("self", []),
        ("self, anything", [{"x": 1}]),
        ("self, __id__, body", ["tuner", {"x": 1}]),
        ("self, body, /, __id__", [{"x": 1}, "tuner"]),
        ("self, body, more=5, *, __id__, __task__=3", [{"x": 1}, 5, "tuner", None]),
        ("self, *rest", [({"x": 1},)]),
        ("self, __id__", ["tuner"]),
        ("self, *, body", [{"x": 1}]),
    ],
)
async def test_a_hook_is_bound_by_its_signature(mode: PythonMode, signature: str, told: list[Any]) -> None:
    names = [name.split("=")[0].strip(" *") for name in signature.split(",")[1:]]
    returned = ", ".join(name for name in names if name not in ("", "/"))
    result = await result_of(mode, piping(f"return [{returned}]", signature), {"x": 1})
    assert result == json.loads(json.dumps(told))


async def test_who_takes_any_name_is_given_nothing_more_than_he_names(mode: PythonMode) -> None:
    source = piping("return [rest, __id__]", "self, body, __id__, **rest")
    assert await result_of(mode, source) == [{}, "tuner"]
    assert await result_of(mode, piping("return [list(more), rest]", "self, *more, **rest"), {"x": 1}) == [
        [{"x": 1}],
        {},
    ]
    assert await result_of(mode, piping("return rest['body']", "self, **rest"), {"x": 1}) == {"x": 1}


async def test_a_decorated_hook_is_given_what_the_hook_itself_names(mode: PythonMode) -> None:
    source = "import functools\ndef twice(hook):\n    @functools.wraps(hook)\n    def both(*args, **kwargs):\n"
    source += "        return [hook(*args, **kwargs), sorted(kwargs)]\n    return both\n"
    source += "class Filter:\n    @twice\n    @twice\n    def inlet(self, body, __id__): return [body, __id__]\n"
    assert await result_of(mode, source, {"body": 1}) == [[[1, "tuner"], []], []]


async def test_what_wraps_itself_is_no_endless_search(mode: PythonMode) -> None:
    source = "import functools\ndef pipe(self, body): return body\nfunctools.wraps(pipe)(pipe)\n"
    assert await result_of(mode, source + "class Pipe: pass\nPipe.pipe = pipe", {"body": 1}) == 1


async def test_static_and_class_methods_are_hooks(mode: PythonMode) -> None:
    source = "class Filter:\n    @staticmethod\n    def inlet(body, __id__): return [body, __id__]\n"
    source += "    @classmethod\n    def outlet(cls, body): return body\n    stream = len"
    assert await result_of(mode, source, {"body": 1}) == [1, "tuner"]
    assert await result_of(mode, source, {"hook": "outlet", "body": 2}) == 2
    assert await result_of(mode, source, {"hook": "stream", "event": [1, 2]}) == 2


async def test_what_stands_among_the_params_is_handed_on(mode: PythonMode) -> None:
    passed = sorted(GIVEN - {"__user__", "__id__", "__body__", "__event_emitter__", "__event_call__", "__ctx__"})
    source = piping(f"return [{', '.join(passed)}]", f"self, body, {', '.join(passed)}")
    params = {name.strip("_"): {"of": name} for name in passed}
    assert await result_of(mode, source, {**params, "body": {}}) == [{"of": name} for name in passed]
    unset: list[Any] = [None] * len(passed)
    unset[passed.index("__metadata__")] = {}
    assert await result_of(mode, source) == unset
    unset[passed.index("__messages__")] = [1]
    assert await result_of(mode, source, {"body": {"messages": [1]}}) == unset


async def test_the_user(mode: PythonMode) -> None:
    host = PlayedHost()
    source = piping("return __user__", "self, body, __user__")
    assert await result_of(mode, source, host=host) is None
    host.for_whom = ADA
    told = {"id": "7", "email": "ada@example.org", "name": "Ada L.", "role": "admin"}
    assert await result_of(mode, source, host=host) == told
    assert host.asked == [("person", None)] * 2


async def test_who_is_not_named_is_not_asked_for(mode: PythonMode) -> None:
    host = PlayedHost()
    await result_of(mode, FILTER, host=host)
    assert host.asked == []


async def test_a_store_that_is_away_fails_who_asks_for_the_user(mode: PythonMode) -> None:
    error = await fault_of(mode, piping("return 1", "self, body, __user__"), host=PlayedHost(away=True))
    assert error == "Execution failed: RuntimeError: the store is away"


async def test_the_ctx_is_that_of_handlers(mode: PythonMode) -> None:
    host = PlayedHost({"KEY": "v"})
    body = "first = __ctx__.idempotency.claim('k')\n__ctx__.publish('news', 1)\n"
    source = piping(body + "return [__ctx__.env['KEY'], first, __ctx__.app['name']]", "self, body, __ctx__")
    assert await result_of(mode, source, host=host) == ["v", True, "Shop"]
    assert [what for what, _ in host.asked] == ["k", "news", "env"]


async def test_nothing_outlives_a_call(opened: Open) -> None:
    """State that has to goes through `__ctx__`."""
    mode = await opened()
    source = "seen = []\nclass Pipe:\n    def __init__(self): self.n = 0\n    def pipe(self, body):\n"
    source += "        self.n += 1\n        seen.append(1)\n        Pipe.seen = getattr(Pipe, 'seen', 0) + 1\n"
    call = await plugin_call(mode, source + "        return [self.n, len(seen), Pipe.seen]")
    for _ in range(3):
        assert value_of(await mode.run(call)) == [1, 1, 1]
    assert mode.facts()["counts"] == {"cold": 1, "warm": 2}


@pytest.mark.parametrize(
    ("request_body", "result"),
    [(b"", {"inlet": {}}), (b'{"hook": "stream", "event": 1}', {"stream": 1}), (b"[1]", {"inlet": [1]})],
)
async def test_a_request_is_answered_with_the_result(mode: PythonMode, request_body: bytes, result: Any) -> None:
    request = Request(method="POST", url="https://shoal.test/", body=request_body)
    outcome = await ran(mode, FILTER, {"not": "these"}, request=request)
    assert outcome.response is not None, outcome
    assert (outcome.response.status, json.loads(outcome.response.body)) == (200, result)
    assert outcome.response.header("content-type") == "application/json"


async def test_a_request_with_another_body_is_refused(mode: PythonMode) -> None:
    outcome = await ran(mode, FILTER, request=Request(method="POST", url="https://shoal.test/", body=b"{"))
    assert outcome.response is not None
    assert outcome.response.status == 400


async def test_the_ctx_of_a_request(mode: PythonMode) -> None:
    request = Request(method="GET", url="https://shoal.test/", ip="192.0.2.1")
    outcome = await ran(mode, piping("return __ctx__.request", "self, body, __ctx__"), request=request)
    assert outcome.response is not None
    assert json.loads(outcome.response.body)["ip"] == "192.0.2.1"


EMITTING = """
class Action:
    async def action(self, body, __event_emitter__):
        await __event_emitter__({"type": "status", "data": {"description": "at it", "done": False}})
        log("between", "warning")
        __event_emitter__({"type": "message", "data": {"content": "ß"}})
        return "done"
"""


async def test_events_are_log_lines_in_their_order(mode: PythonMode) -> None:
    outcome = await ran(mode, EMITTING)
    assert value_of(outcome) == "done"
    assert [(line.level, line.message) for line in outcome.logs] == [
        ("info", "status"),
        ("warning", "between"),
        ("info", "message"),
    ]
    assert json.loads(bytes(outcome.logs[0].data)) == {
        "type": "status",
        "data": {"description": "at it", "done": False},
    }


async def test_events_are_kept_when_the_call_fails(mode: PythonMode) -> None:
    source = piping('__event_emitter__({"type": "status"})\nreturn 1 / 0', "self, body, __event_emitter__")
    outcome = await ran(mode, source)
    assert (outcome.status, [line.message for line in outcome.logs]) == ("FAILURE", ["status"])


async def test_events_are_bounded_like_lines(mode: PythonMode) -> None:
    body = "for n in range(1000):\n    __event_emitter__({'type': 'status', 'n': n})\n"
    outcome = await ran(mode, piping(body, "self, body, __event_emitter__"), log_lines=5)
    assert len(outcome.logs) == 5
    assert outcome.warnings == ["LogTruncated: at most 5 log lines are kept, 995 log lines left out"]


@pytest.mark.parametrize("event", ["'text'", "None", "{}", "{'type': 3}", "{'type': 't', 'data': {1}}", "[1]"])
async def test_what_is_no_event_is_refused(mode: PythonMode, event: str) -> None:
    error = await fault_of(mode, piping(f"__event_emitter__({event})", "self, body, __event_emitter__"))
    assert error.startswith("Execution failed: TypeError: ")


async def test_nobody_answers_an_event(mode: PythonMode) -> None:
    source = "class Pipe:\n    async def pipe(self, body, __event_call__):\n"
    source += "        try:\n            return await __event_call__({'type': 'input', 'data': {}})\n"
    source += "        except RuntimeError as e:\n            return str(e)"
    told = "nobody is connected to this call who could answer: events can be emitted, not asked"
    assert await result_of(mode, source) == told
