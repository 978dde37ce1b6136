"""A page's commands as one script: as a reader types them, one block after the other in one shell."""

import json
import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.docs.blocks import Block

# What stops at the first thing that does not work, and answers in lines; and for what a page leaves to its reader,
# `field PATH` of the last answer, and `eventually COMMAND`.
PRELUDE = r"""
set -eo pipefail
curl() { command curl --silent --show-error --fail-with-body --max-time 60 --write-out '\n' "$@"; }
field() { python3 -c 'import json, sys
found = [json.loads(line) for line in open(sys.argv[1]) if line.startswith(("{", "["))][-1]
for name in sys.argv[2].split("."): found = found[int(name) if isinstance(found, list) else name]
print(found if isinstance(found, str) else json.dumps(found))' "$LAST" "$1"; }
eventually() { for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; "$@"; }
"""
# `URL=… SECRET=whsec_…` is for the reader to fill in, and so has to be set when it is run.
_PLACEHOLDERS = re.compile(r"^(?:\w+=\S*…\S*[ \t]*)+(?:#.*)?$", re.MULTILINE)
_VARIES = re.compile(r"\d|…")
_NAME = re.compile(r"(\w+)=\S*…")


def script(blocks: list[Block], folder: Path, url: str) -> str:
    """One script of all blocks. What each says goes to a file of its own: `output`."""
    parts = [PRELUDE]
    for number, block in enumerate(blocks):
        text = _PLACEHOLDERS.sub(
            lambda line: "".join(f": ${{{name}:?}}\n" for name in _NAME.findall(line[0])), block.text
        )
        parts.append(f"echo {block.page}:{block.line} >&2\n{block.before}\n")
        parts.append(f"{{ :\n{text}\n}} > {shlex.quote(str(output(folder, number)))}\n")
        parts.append(f"LAST={shlex.quote(str(output(folder, number)))}\n")
    return "".join(parts).replace("http://127.0.0.1:8000", url)


def output(folder: Path, number: int) -> Path:
    """Where the block's output goes."""
    return folder / f"output-{number}"


def documents(text: str) -> list[Any]:
    """What was answered in JSON, a line each; what begins like it and is for people is left out."""
    found = []
    for line in text.splitlines():
        with suppress(json.JSONDecodeError):
            found += [json.loads(line)] if line.startswith(("{", "[")) else []
    return found


def alike(shown: Any, seen: Any) -> bool:
    """Whether a page's answer is one like this: the same fields and words; other numbers, times, ids and addresses."""
    if isinstance(shown, dict):
        return isinstance(seen, dict) and set(shown) == set(seen) and all(alike(shown[key], seen[key]) for key in shown)
    if isinstance(shown, list):
        return isinstance(seen, list) and all(any(alike(one, other) for other in seen) for one in shown)
    if isinstance(shown, str):
        return isinstance(seen, str) and (shown == seen or bool(_VARIES.search(shown)))
    if isinstance(shown, bool) or shown is None:
        return shown is seen
    return isinstance(seen, int | float)
