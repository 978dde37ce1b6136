"""Facades that write for the call, or keep something while it runs: logging and traceback."""

import json
from typing import Any

import pytest

from services.executor.modes.python.mode import PythonMode
from shared.domain.outcome import Outcome
from tests.python_mode.calling import Run, call_of, value_of

pytestmark = pytest.mark.asyncio(loop_scope="session")


def told(outcome: Outcome) -> list[tuple[str, str]]:
    return [(line.level, line.message) for line in outcome.logs]


async def test_every_method_is_a_line_of_the_log(run: Run) -> None:
    source = """
import logging
from logging import getLogger
logger = getLogger(__name__)
logging.basicConfig(level=logging.INFO)
def main():
    logger.debug("d")
    logger.info("%s has %d, %.1f%%", "ada", 3, 99.5)
    logger.warning("%(who)s", {"who": "bob"}, extra={"order": 17})
    logger.warn("old")
    logger.error("no args: 100%")
    logger.critical(404)
    logger.log(25, "between")
    logging.info("of the root %s", [1])
    return [logger.name, logger is getLogger("function"), logger.isEnabledFor(10), logger.hasHandlers(), __name__]
"""
    outcome = await run(source)
    assert value_of(outcome) == ["function", True, True, True, "function"]
    assert told(outcome) == [
        ("debug", "d"),
        ("info", "ada has 3, 99.5%"),
        ("warning", "bob"),
        ("warning", "old"),
        ("error", "no args: 100%"),
        ("error", "404"),
        ("info", "between"),
        ("info", "of the root [1]"),
    ]
    assert json.loads(bytes(outcome.logs[2].data)) == {"order": 17}


async def test_what_does_not_fit_is_told_and_fails_nothing(run: Run) -> None:
    source = """
import logging
def main():
    logging.info("%d of %d", 1)
    logging.info("%s", 1, 2)
    logging.info("{0}", 1)
    logging.info("x", extra={"no": {1}})
"""
    outcome = await run(source)
    assert [line.message.partition(" (")[0] for line in outcome.logs] == ["%d of %d", "%s", "{0}", "x"]
    assert "its arguments do not fit: TypeError" in outcome.logs[0].message
    assert "its extra is not JSON" in outcome.logs[3].message


async def test_levels_are_those_of_the_nearest_logger_above(run: Run) -> None:
    source = """
import logging
def main():
    shop, orders = logging.getLogger("shop"), logging.getLogger("shop").getChild("orders")
    shop.setLevel("ERROR")
    orders.warning("left out")
    orders.error("kept")
    orders.setLevel(logging.INFO)
    orders.info("kept too")
    logging.getLogger("shopping").info("of no one")
    told = [orders.name, orders.getEffectiveLevel(), shop.level, logging.getLevelName(30), str(shop)]
    logging.disable(logging.WARNING)
    orders.warning("left out")
    return told
"""
    outcome = await run(source)
    assert value_of(outcome) == ["shop.orders", 20, 40, "WARNING", "<Logger shop (ERROR)>"]
    assert [line.message for line in outcome.logs] == ["kept", "kept too", "of no one"]


async def test_levels_end_with_the_call(mode: PythonMode) -> None:
    source = """
import logging
def main():
    before = [logging.getLogger("a").level, logging.getLogger().isEnabledFor(10)]
    logging.getLogger("a").setLevel(50)
    logging.disable()
    return before
"""
    call = await call_of(mode, source)
    assert [value_of(await mode.run(call)) for _ in range(3)] == [[0, True]] * 3


TRACE = """Traceback (most recent call last):
  File "<function>", line 8, in main
  File "<function>", line 5, in f
KeyError: 'x'"""


async def test_exceptions_are_told_with_the_frames_of_the_function(run: Run) -> None:
    source = """
import logging
import traceback
def f():
    return {}["x"]
def main():
    try:
        f()
    except KeyError as error:
        logging.exception("failed %s", 1)
        logging.error("again", exc_info=True)
        logging.warning("by itself", exc_info=error)
        logging.warning("without", exc_info=False)
        traceback.print_exc()
        return [traceback.format_exc(), "".join(traceback.format_exception(error))]
"""
    outcome = await run(source)
    assert value_of(outcome) == [f"{TRACE}\n", TRACE]
    assert told(outcome) == [
        ("error", f"failed 1\n{TRACE}"),
        ("error", f"again\n{TRACE}"),
        ("warning", f"by itself\n{TRACE}"),
        ("warning", "without"),
    ]
    assert outcome.stdout == f"{TRACE}\n"


@pytest.mark.parametrize(
    "source", ["logging.getLogger(7)", "logging.getLogger('a').setLevel('LOUD')", "logging.log('x', 1)"]
)
async def test_misuse_is_told(run: Run, source: str) -> None:
    outcome: Any = await run(f"import logging\ndef main():\n    {source}")
    assert outcome.error_type == "SandboxError"
