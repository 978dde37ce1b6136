# ruff: noqa: E501 - a source in one string reads better than in pieces
"""Known ways out of RestrictedPython. Each source must end in an error or in a harmless value, never in `escaped`."""

import pytest

from services.executor.mode import Artefact
from services.executor.modes.python.mode import PythonMode
from tests.python_mode.calling import Run

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Each body reaches for something; reaching it returns 'escaped'.
REACHES = {
    "module behind re": "import re\n    re.enum.sys.modules",
    "module behind json": "import json\n    json.codecs",
    "random.SystemRandom": "import random\n    random.SystemRandom",
    "module behind statistics": "import statistics\n    statistics.sys",
    "module behind collections": "import collections\n    collections.heapq",
    "module behind collections.abc": "import collections.abc\n    collections.abc.sys",
    "module behind uuid": "import uuid\n    uuid.os",
    "module behind base64": "import base64\n    base64.struct",
    "operator.attrgetter": "import operator\n    operator.attrgetter('__class__')",
    "operator.methodcaller": "import operator\n    operator.methodcaller('mro')",
    "functools.update_wrapper": "import functools\n    functools.update_wrapper",
    "string.Formatter": "import string\n    string.Formatter",
    "string.Template": "import string\n    string.Template",
    "UserString": "import collections\n    collections.UserString",
    "real type": "type('X', (), {'__str__': 1})",
    "type of a type": "type(int)",
    "type of a function": "type(lambda: 1)",
    "type of a builtin": "type(len)",
    "type of a method": "type([].append)",
    "type of a generator": "type(x for x in [])",
    "type of a facade": "import json\n    type(json)",
    "mro": "int.mro()",
    "mro of an instance class": "type(1).mro()",
    "mro by name": "getattr(int, 'mro')()",
    "dunder by name": "getattr(1, '__class__')",
    "dunder by a subclass of str": "class S(str):\n        pass\n    getattr(1, S('__class__'))",
    "str.format": "'{0.__class__}'.format(1)",
    "str.format of the class": "str.format('{0.__class__}', 1)",
    "format_map": "'{a.__class__}'.format_map({'a': 1})",
    "format by name": "getattr('{0.__class__}', 'format')(1)",
    "format of a subclass": "class S(str):\n        pass\n    S('{0.__class__}').format(1)",
    "format in a map": "list(map('{0.__class__}'.format, [1]))",
    "frame by name": "getattr((x for x in []), 'gi_frame')",
    "magic method by setattr": "class C:\n        pass\n    setattr(C, '__str__', lambda s: 'x')",
    "magic method by a str subclass": "class S(str):\n        pass\n    class C:\n        pass\n    setattr(C, S('x'), 1)",
    "write to a builtin class": "int.x = 1",
    "write to a facade": "import json\n    json.dumps = 1",
    "write to a facade by item": "import json\n    json['dumps'] = 1",
    "write to a facade by setattr": "import json\n    setattr(json, 'dumps', 1)",
    "add to a facade": "import math\n    math.pi += 1",
    "delete from a facade": "import math\n    del math.pi",
    "write to a function": "def f():\n        pass\n    f.x = 1",
    "write to a library function": "import json\n    json.dumps.x = 1",
    "write to a tuple": "t = (1,)\n    t[0] += 1",
    "object of an error": "try:\n        (1).nothing\n    except AttributeError as e:\n        e.obj",
    "object of an error by name": "try:\n        (1).nothing\n    except AttributeError as e:\n        getattr(e, 'obj')",
    "enum of a uuid": "import uuid\n    uuid.uuid4().is_safe",
    "register with an abstract class": "import collections\n    collections.ChainMap.register(int)",
    "abstract class as a base": "import collections\n    class C(collections.ChainMap):\n        pass",
    "open": "open('/etc/passwd')",
    "globals": "globals()",
    "vars": "vars()",
    "dir": "dir(1)",
    "id": "id(1)",
    "compile": "compile('1', '', 'eval')",
    "input": "input()",
    "super": "super()",
    "memoryview": "memoryview(b'')",
    "help": "help",
    "builtins of a facade": "import json\n    getattr(json, '__builtins__')",
    "self of print": "getattr(print, '__self__')",
    "import by try": "try:\n        import os\n    except ValueError:\n        pass",
    "import of a path by try": "try:\n        from _strptime import datetime_date\n    except ValueError:\n        pass",
}


@pytest.mark.parametrize("name", REACHES)
async def test_reach_is_refused_or_fails(mode: PythonMode, run: Run, name: str) -> None:
    source = f"def main():\n    {REACHES[name]}\n    return 'escaped'"
    made = await mode.prepare(source)
    if isinstance(made, Artefact):
        outcome = await run(source)
        assert outcome.status == "FAILURE", bytes(outcome.result)
        assert outcome.error_type == "SandboxError"
        assert outcome.error.split(": ")[1].endswith("Error")


async def test_most_reaches_get_as_far_as_the_guards(mode: PythonMode) -> None:
    """Else the test above would test the compiler only."""
    made = [await mode.prepare(f"def main():\n    {body}") for body in REACHES.values()]
    assert sum(isinstance(one, Artefact) for one in made) > len(REACHES) * 3 // 4


@pytest.mark.parametrize(
    "body",
    [
        "import functools\n    def f():\n        pass\n    g = functools.lru_cache(f)\n    return hasattr(g, '__wrapped__')",
        "return hasattr(1, '__class__') or hasattr('', 'format') or hasattr(int, 'mro')",
        "import re\n    return type(re.I) is not int",
    ],
)
async def test_what_cannot_be_had_looks_absent(run: Run, body: str) -> None:
    assert bytes((await run(f"def main():\n    {body}")).result) == b"false"


async def test_no_file_can_be_opened_in_a_worker(run: Run) -> None:
    """A codec that was not loaded before would have to be read from disk."""
    outcome = await run("def main():\n    return 'a'.encode('cp037').hex()")
    assert outcome.status == "FAILURE"
