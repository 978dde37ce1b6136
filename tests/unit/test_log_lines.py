"""What services log: one vocabulary, one form, and of which invocation a line is."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.actions import ACTIONS

ROOT = Path(__file__).resolve().parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
NOT_OURS = {"logging_facade.py"}  # the `logging` of functions
PASSED_ON = {"shared/telemetry.py": 2, "services/triggers/kinds/s3/fanout.py": 1}  # actions that others name


def said() -> Iterator[tuple[str, ast.expr]]:
    """The file and the action of every line that is logged."""
    for folder in ("services", "shared", "cli/supervisor"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if path.name not in NOT_OURS:
                for node in ast.walk(ast.parse(path.read_text())):
                    if isinstance(node, ast.Call) and node.args and _logs(node.func, node.args[0]):
                        yield str(path.relative_to(ROOT)), node.args[0]


def _logs(function: ast.expr, action: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id == "_note" and isinstance(action, ast.Constant)
    if isinstance(function, ast.IfExp):
        return _logs(function.body, action) and _logs(function.orelse, action)
    if not isinstance(function, ast.Attribute):
        return False
    whose = ast.unparse(function.value)
    if function.attr in {"trouble", "fault"}:
        return "watch" in whose
    return function.attr in LEVELS and whose.endswith("log")


def test_every_action_is_in_the_vocabulary_and_the_other_way_round() -> None:
    used, passed_on = set(), dict.fromkeys(PASSED_ON, 0)
    for path, action in said():
        if isinstance(action, ast.Constant):
            assert action.value in ACTIONS, f"{path}: {action.value!r}"
            used.add(action.value)
        else:
            passed_on[path] = passed_on.get(path, 0) + 1
    assert passed_on == PASSED_ON
    assert used == set(ACTIONS)


def test_the_page_shows_the_vocabulary() -> None:
    page = (ROOT / "docs" / "log-actions.md").read_text()
    assert dict(re.findall(r"^\| (?!action|-)(.+?) \| (.+) \|$", page, re.MULTILINE)) == ACTIONS


SCRIPT = """
import logging, sys
from shared import telemetry
telemetry.configure(sys.argv[1], "debug", "executor")
log = telemetry.logger("part of it")
log.info("ready", instance="x")
token = telemetry.about(telemetry.About("t-1", "acme", "resize"))
log.warning("sandbox violation", function="another")
telemetry.no_more(token)
logging.getLogger("nats").error("trouble at %s", "home")
logging.getLogger("nats").debug("chatter")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("request failed")
"""


@pytest.mark.parametrize("form", ["json", "auto"])
def test_lines_are_json_where_nobody_looks(form: str) -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT, form], cwd=ROOT, capture_output=True, text=True, check=True)
    ready, violation, library, failed = map(json.loads, done.stderr.splitlines())
    stamp = ready.pop("timestamp")
    assert stamp.endswith("Z")
    assert ready == {
        "action": "ready", "service": "executor", "part": "part of it", "level": "info", "instance": "x",
    }  # fmt: skip
    assert (violation["task_id"], violation["tenant"], violation["function"]) == ("t-1", "acme", "another")
    assert (library["action"], library["library"], library["said"]) == ("a library says", "nats", "trouble at home")
    assert "task_id" not in library
    assert failed["exception"].endswith("ZeroDivisionError: division by zero")


def test_text_has_no_colours_where_there_is_no_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "console"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "sandbox violation" in done.stderr
    assert "task_id=t-1" in done.stderr
    assert "\x1b" not in done.stderr


def test_lines_of_processes_that_share_a_file_stay_whole(tmp_path: Path):
    program = (
        "from shared import log_lines\nlog_lines.configure('json', 'info', 'x')\nlog = log_lines.logger('y')\n"
        "for number in range(1000):\n    log.info('draining', number=number)\n"
    )
    with (tmp_path / "log").open("ab") as log:
        command = [sys.executable, "-u", "-c", program]  # unbuffered, as in a container
        writers = [subprocess.Popen(command, stderr=log, cwd=ROOT) for _ in range(4)]
        assert [one.wait(timeout=60) for one in writers] == [0] * 4
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(line["number"] for line in lines) == sorted([*range(1000)] * 4)
