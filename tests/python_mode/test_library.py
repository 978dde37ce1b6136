# ruff: noqa: E501 - a source in one string reads better than in pieces
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


async def test_deep_copies_share_nothing_that_can_be_changed(run: Run) -> None:
    source = """
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from copy import copy, deepcopy
from datetime import datetime, timezone
from decimal import Decimal
from pydantic import BaseModel, SecretStr
class Point:
    def __init__(self, x):
        self.x = x
        self._kept = [x]
    def kept(self):
        return self._kept
class Names(list):
    pass
class Table(dict):
    pass
class Text(str):
    pass
class Valves(BaseModel):
    roles: list = ["user"]
    key: SecretStr = SecretStr("k")
    inner: object = None
Pair = namedtuple("Pair", "a b")
def main():
    same = [1]
    names = Names([[1]])
    names.tag = [2]
    first = {
        "list": [[1], (2, [3])], "same": [same, same], "set": {1, (2,)}, "frozen": frozenset([1]), "bytes": bytearray(b"x"),
        "deque": deque([[1]], maxlen=2), "counter": Counter("aab"), "default": defaultdict(list, a=[1]),
        "ordered": OrderedDict(b=[1], a=[2]), "pair": Pair([1], 2), "point": Point([1]), "names": names,
        "table": Table(a=[1]), "text": Text("t"), "valves": Valves(inner=Point([7])), "when": datetime(2024, 1, 1, tzinfo=timezone.utc),
        "price": Decimal("1.50"), "function": main, "class": Point, "none": None,
    }
    first["ordered"].move_to_end("b")
    first["itself"] = first
    then = deepcopy(first)
    first["list"][1][1].append(4)
    same.append(2)
    first["deque"][0].append(2)
    first["default"]["a"].append(2)
    first["ordered"]["a"].append(3)
    first["pair"].a.append(2)
    first["point"].x.append(2)
    first["point"].kept().append(2)
    names[0].append(2)
    names.tag.append(3)
    first["table"]["a"].append(2)
    first["bytes"].extend(b"y")
    first["valves"].roles.append("admin")
    first["valves"].inner.x.append(8)
    then["default"]["new"].append(1)
    then["deque"].append(5)
    then["deque"].append(6)
    return [
        then["list"], then["same"], then["same"][0] is then["same"][1], sorted(map(str, then["set"])), then["frozen"] == {1},
        then["bytes"].decode(), list(then["deque"]), then["counter"] == Counter("aab"), dict(then["default"]),
        list(then["ordered"].items()), then["pair"].a, type(then["pair"]) is Pair, then["point"].x, then["point"].kept(),
        [list(then["names"]), then["names"].tag, type(then["names"]) is Names], [then["table"]["a"], isinstance(then["table"], Table)],
        [then["text"], type(then["text"]) is Text], [then["valves"].roles, then["valves"].key.get_secret_value(), then["valves"].inner.x],
        then["when"] is first["when"], str(then["price"]), then["function"] is main, then["class"] is Point,
        then["itself"] is then,
    ]
"""
    assert value_of(await run(source)) == [
        *([[1], [2, [3]]], [[1], [1]], True, ["(2,)", "1"], True),
        *("x", [5, 6], True, {"a": [1], "new": [1]}),
        *([["a", [2]], ["b", [1]]], [1], True, [1], [[1]]),
        *([[[1]], [2], True], [[1], True]),
        *(["t", True], [["user"], "k", [7]]),
        *(True, "1.50", True, True),
        True,
    ]


async def test_copies_hold_the_same_things(run: Run) -> None:
    source = """
from copy import copy
from pydantic import BaseModel
class Point:
    pass
class Valves(BaseModel):
    roles: list = []
def main():
    inner, point, valves = [1], Point(), Valves(roles=["a"])
    point.inner = inner
    parts = [copy([inner])[0] is inner, copy({"a": inner})["a"] is inner, copy(point).inner is inner, copy(point) is point]
    return [*parts, copy((inner,))[0] is inner, copy(valves).roles is valves.roles, copy(valves) == valves, copy("x")]
"""
    assert value_of(await run(source)) == [True, True, True, False, True, True, True, "x"]


@pytest.mark.parametrize(
    "what",
    ["(x for x in [])", "iter([])", "json", "logging.getLogger()", "Lock()", "random.Random(1)", "Mine(1)", "Key()"],
)
async def test_what_is_not_copied_is_named(run: Run, what: str) -> None:
    source = f"""
import copy, json, logging, random
from asyncio import Lock
class Mine(random.Random): pass
class Key(Lock): pass
def main():
    what = {what}
    told = []
    for make in (copy.copy, copy.deepcopy):
        try:
            make([what]) if make is copy.deepcopy else make(what)
        except TypeError as error:
            told.append(str(error))
    return told
"""
    assert [text.partition(" ")[2] for text in value_of(await run(source))] == ["objects cannot be copied here"] * 2
