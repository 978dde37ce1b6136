"""The commands of a page, as it is written, and what comments in its source say of them.

`<!-- not run: REASON -->` before a block leaves it out, `<!-- not run on this page: docker, kubectl: REASON -->` all
that begins with these commands. `<!-- before: COMMANDS -->` is run before it: what a reader has and a test has
not. `<!-- answer -->` before a block of JSON says that the last command was answered like that.
"""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

_FENCE = re.compile(r"^```([\w-]*)[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMENT = re.compile(r"<!--\s*(not run|before|answer)(?::\s*((?:(?!-->).)*?))?\s*-->\s*\Z", re.DOTALL)
_OF_PAGE = re.compile(r"<!-- not run on this page: ([^:]+): (.*?) -->", re.DOTALL)
_LINE = re.compile(r"(?:[^\n]*\\\n)*[^\n]*\n")
_SET = re.compile(r"\s*(?:\w+=(?:'[^']*'|\"[^\"]*\"|\S*)[ \t\\\n]+)*")
_ANSWER = re.compile(r"^# ([{\[].*(?:\n#  .*)*)", re.MULTILINE)
_SHELLS = {"sh", "bash", "shell", "console"}
_COMMAND = re.compile(r"^\$?\s*(curl|shoal|make|docker|kubectl|python3?|pip|nats|apt-get|systemctl)\s", re.MULTILINE)


class Block(NamedTuple):
    """A block of commands. `not_run` is why, empty where it is run; `answers` are what the page shows of JSON."""

    page: str
    line: int
    text: str
    not_run: str
    before: str
    answers: list[Any]


def blocks(root: Path, page: str) -> list[Block]:
    """The page's blocks of commands, in their order. Raises ValueError for commands that are not marked as such."""
    text = (root / page).read_text("utf-8")
    found: list[Block] = []
    for fence in _FENCE.finditer(text):
        said = _said(text[: fence.start()])
        line = text.count("\n", 0, fence.start()) + 1
        if fence[1] == "json" and "answer" in said:
            found[-1].answers.append(json.loads(fence[2]))
        elif fence[1] in _SHELLS:
            if not (typed := _typed(fence[1], fence[2])):
                continue
            typed, left_out = _left(typed, text)
            shown = [json.loads(answer.replace("\n#  ", "\n")) for answer in _ANSWER.findall(fence[2])]
            before = said.get("before", "")
            found.append(Block(page, line, typed, said.get("not run", left_out), before, shown))
        elif not fence[1] and _COMMAND.search(fence[2]):
            message = f"{page}:{line}: commands in a block that is not marked sh"
            raise ValueError(message)
    return found


def _said(above: str) -> dict[str, str]:
    """What the comments directly above a block say."""
    said = {}
    while found := _COMMENT.search(above):
        said[found[1]] = found[2] or ""
        above = above[: found.start()]
    return said


def _left(commands: str, page: str) -> tuple[str, str]:
    """The commands without those that the page leaves out; and why, where none are left."""
    if not (said := _OF_PAGE.search(page)):
        return commands, ""
    starts = tuple(f"{start} " for start in said[1].split(", "))
    lines = [line for line in _LINE.findall(commands) if not _SET.sub("", line, count=1).startswith(starts)]
    left = "".join(lines)
    return left, "" if left.strip() else said[2]


def _typed(language: str, text: str) -> str:
    """What is typed of it: in a console, what stands behind the prompt."""
    if language != "console":
        return text
    return "".join(line[2:] for line in text.splitlines(keepends=True) if line.startswith("$ "))
