"""What is wrong is told in one line, with an exit code, and nothing is asked that was not meant."""

import pytest

from cli import exits
from tests.cli.conftest import Ask
from tests.hooks import always, response, serving

ODD, QUOTED = "a/../b?c#d%2F", "a%2F..%2Fb%3Fc%23d%252F"


@pytest.mark.parametrize(
    ("argv", "last"),
    [
        (("schedule", "list", "--app", ODD), f"/api/apps/{QUOTED}/functions/?limit=100&offset=0"),
        (("schedule", "show", ODD), f"/api/functions/{QUOTED}/schedule/"),
        (("schedule", "next", ODD), f"/api/functions/{QUOTED}/schedule/"),
        (("schedule", "remove", ODD), f"/api/functions/{QUOTED}/schedule/"),
        (("schedule", "set", ODD, "@daily"), f"/api/functions/{QUOTED}/"),
        (("invoke", ODD), f"/api/functions/{QUOTED}/execute/"),
        (("result", ODD), f"/api/result/{QUOTED}/"),
        (("result", "٣"), "/api/result/%D9%A3/"),
        (("cancel", ODD), f"/api/invocations/by-task-id/{QUOTED}/cancel/"),
        (("delete", ODD, "--app", ODD), f"/v1/{QUOTED}/functions/{QUOTED}"),
        (("logs", ODD, "--app", ODD), f"/v1/{QUOTED}/functions/{QUOTED}/logs?limit=100&level=all"),
        (("env", "list", "--app", ODD), f"/v1/{QUOTED}/env"),
        (("env", "unset", "A", "--function", ODD), f"/v1/default/functions/{QUOTED}"),
        (("env", "set", "A=1", "--function", ODD), f"/v1/default/functions/{QUOTED}/env"),
        (("ps", "--app", ODD), f"/v1/{QUOTED}/functions?offset=0"),
    ],
)
async def test_a_name_is_one_part_of_a_path(ask: Ask, argv: tuple[str, ...], last: str):
    async with serving() as hook:
        hook.answer = always(response(404, b'{"error": "not found"}'))
        said = await ask(*argv, SHOAL_URL=hook.url, SHOAL_DATA_DIR="")
    assert said.code == exits.NOT_FOUND, said
    assert hook.received[-1].path == last


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_what_leads_to_another_path_is_no_name(ask: Ask, name: str):
    async with serving() as hook:
        where = {"SHOAL_URL": hook.url, "SHOAL_DATA_DIR": ""}
        for argv in (("delete", name, "--yes"), ("logs", name), ("result", name), ("cancel", name), ("invoke", name)):
            said = await ask(*argv, **where)
            assert (said.code, said.errors.splitlines()[-1]) == (exits.REFUSED, f"shoal: '{name}' is no name")
    assert hook.received == []


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("invoke", "nothing"), exits.NOT_FOUND, "not found"),
        (("invoke", "x", "--params", "[1]"), exits.REFUSED, "--params is no JSON object"),
        (("invoke", "x", "--params", "@/nowhere.json"), exits.UNDONE, "cannot be read"),
        (("logs", "nothing"), exits.NOT_FOUND, "not found"),
        (("logs", "x", "--since", "soon"), exits.REFUSED, "'soon' is no time"),
        (("result", "nothing"), exits.NOT_FOUND, "not found"),
        (("result", "nothing", "--wait", "-3"), exits.REFUSED, "--wait must be a number of seconds"),
        (("invoke", "x", "--wait", "-1"), exits.REFUSED, "--wait must be a number of seconds"),
        (("invoke", "x", "--wait", "nan"), exits.REFUSED, "--wait must be a number of seconds"),
        (("invoke", "x", "--idempotency-key", ""), exits.REFUSED, "--idempotency-key must not be empty"),
        (("invoke", "x\udcff"), exits.REFUSED, "is no name"),
        (("schedule", "show", ""), exits.REFUSED, "is no name"),
        (("deploy", "tests/conftest.py", "--name", ""), exits.REFUSED, "--name must not be empty"),
        (("deploy", "tests/conftest.py", "--timeout", "nan"), exits.REFUSED, "timeout must be a number"),
        (("deploy", "tests/conftest.py", "--timeout", "inf"), exits.REFUSED, "timeout must be a number"),
        (("deploy", "tests/conftest.py", "--description", "\udcff"), exits.REFUSED, "cannot be sent"),
        (("deploy", "tests/conftest.py", "--config", '{"a": NaN}'), exits.REFUSED, "NaN is no number"),
        (("result", "99999999"), exits.NOT_FOUND, "not found"),
        (("cancel",), exits.MISUSED, "name the calls"),
        (("delete", "nothing", "--yes"), exits.NOT_FOUND, "not found"),
        (("deploy", "/nowhere.py"), exits.UNDONE, "cannot be read"),
        (("deploy", "README.md"), exits.REFUSED, "is no function"),
        (("deploy", "tests/conftest.py", "--env", "A"), exits.REFUSED, "--env must be like"),
        (("deploy", "tests/conftest.py", "--config", "x"), exits.REFUSED, "--config is no JSON object"),
        (("env", "set"), exits.REFUSED, "name the variables"),
        (("env", "set", "A"), exits.UNDONE, "no terminal to ask for the value of the variable A"),
        (("env", "set", "1A=2"), exits.REFUSED, ""),
        (("env", "unset"), exits.REFUSED, "name the variables"),
        (("env", "import", "/nowhere"), exits.UNDONE, "cannot be read"),
        (("schedule", "set", "nothing", "* * * * *"), exits.NOT_FOUND, "not found"),
        (("schedule", "next", "nothing"), exits.NOT_FOUND, "not found"),
        (("top", "--every", "0"), exits.REFUSED, "--every"),
        (("ps", "--app", "no-such-app"), exits.NOT_FOUND, "not found"),
        (("ps", "--context", "nothing"), exits.NOT_FOUND, "there is no context"),
        (("context", "use", "nothing"), exits.NOT_FOUND, "there is no context"),
        (("context", "add", "a b", "http://x"), exits.UNDONE, "name"),
        (("context", "add", "a", "ftp://x"), exits.UNDONE, "no address"),
        (("completion", "cmd"), exits.MISUSED, ""),
        (("ps", "--nothing"), exits.MISUSED, ""),
    ],
)
async def test_what_is_wrong_is_told_and_how_it_ends(ask: Ask, argv: tuple[str, ...], code: int, words: str):
    said = await ask(*argv)
    assert (said.code, said.out) == (code, ""), said
    assert words in said.errors
    assert "Traceback" not in said.errors
    if said.errors.startswith("shoal: "):
        assert said.errors.count("\n") == 1
