"""Everything a worker could want to import or build later is imported and built here, before there are workers.

A worker can open no file: what is not loaded now is missing for good.
"""

import datetime
import marshal
import os
import time
import unicodedata

from services.executor.modes.python import frames
from services.executor.modes.python.asking import Ask
from services.executor.modes.python.compiling import compile_source
from services.executor.modes.python.frames import CallFrame, CompiledFrame
from services.executor.modes.python.handler import run_call
from services.executor.modes.python.models import building
from services.executor.modes.python.models import rehearsal as models
from services.executor.modes.python.plugins import rehearsal as plugins

_CODECS = (
    "ascii utf-8 utf-8-sig utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be latin-1 cp1252 iso8859-15 idna "
    "punycode unicode_escape raw_unicode_escape"
)

_SOURCE = b"""
import json
from datetime import datetime

class Item:
    def __init__(self, price):
        self.price = price
        self.price *= 2

def main(params, context):
    total: float = 0
    seen = {}
    for name, price in sorted(params["prices"].items()):
        total += Item(price).price
        seen[name] = seen.get(name, 0)
        seen[name] += 1
    log("seen", data=seen)
    print(f"{total:.2f}", json.dumps(seen), datetime(2024, 1, 1).isoformat())
    return {"total": total, "squares": [x * x for x in range(10)]}
"""

_CALL = CallFrame(
    1, b'{"prices": {"a": 1.5, "b": 2}}', {}, output_bytes=1000, log_lines=10, result_bytes=1000, memory_mb=1
)
_NOBODY = Ask(None, nonce=1, most_bytes=0)

_rehearsed: list[bytes] = []  # the function above, once it is compiled


def rehearse() -> None:
    """Make a call in a worker that nobody waits for: it gets its own copies of the pages that calls write to.

    Not so for compiling: it would cost every warm worker a megabyte, and most never compile.
    """
    for code in _rehearsed:
        frames.pack(run_call(marshal.loads(code), _CALL, _NOBODY))  # noqa: S302 - our own compiler made it


def warm_up() -> None:
    """Load what is loaded at first use, and run the path of a call once. Raises if that path does not work."""
    for name in _CODECS.split():
        "shoal".encode(name).decode(name)
    unicodedata.name("a")
    # Plugins of pydantic are other people's code, and looking for them costs megabytes.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    # The parser of dates is a module that C code imports when the first date is parsed.
    datetime.datetime.strptime("2024-01-01", "%Y-%m-%d")  # noqa: DTZ007 - thrown away
    time.strptime("2024", "%Y")
    compile_source(b"import nothing\nmatch 1:\n    case _: pass")
    frames.parse_request(frames.pack(_CALL)[frames.HEADER.size :])
    code = _tried(_SOURCE)
    frames.pack(CompiledFrame(1, code, []))
    _tried(models.SOURCE)
    for call in plugins.calls():
        _tried(plugins.SOURCE, call)
    building.build.cache_clear()
    run_call(marshal.loads(compile_source(b"def main(): return 1 / 0")[0]), _CALL, _NOBODY)  # noqa: S302 - our own compiler made it
    _rehearsed.append(code)


def _tried(source: bytes, call: CallFrame = _CALL) -> bytes:
    """The code of a function of ours that has just run well."""
    code, errors = compile_source(source)
    if errors:
        raise RuntimeError(f"a warm-up function was refused: {errors}")
    reply = run_call(marshal.loads(code), call, _NOBODY)  # noqa: S302 - our own compiler made it
    frames.pack(reply)
    if reply.status != "ok":
        raise RuntimeError(f"a warm-up function failed: {reply.traceback or reply.error}")
    return code
