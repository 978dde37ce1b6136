# ruff: noqa: E501 - a source in one string reads better than in pieces
"""Attacks on the facades that are written by the platform. As in language_attacks.py: bodies of `main`."""

REFUSED = {
    "name of a class by its bare name": "class C: pass\n    C.__name__",
    "own name, bound": "__name__ = 'os'",
    "slot of a logger": "import logging\n    logging.getLogger('a').__records__",
    "writer of the log": "import logging\n    logging.getLogger('a').__records__.output",
    "handlers": "from logging import StreamHandler",
    "files of logging": "from logging import FileHandler",
    "registry of loggers": "from logging import Manager",
    "frames of a traceback": "from traceback import walk_tb",
    "module inside of logging": "import logging.config",
    "module inside of traceback": "from traceback import sys",
    "dispatch of copy": "from copy import _deepcopy_dispatch",
    "registry of copy": "from copy import copyreg",
    "reducing": "[].__reduce_ex__(4)",
}
FAILS = {
    "registry of copy by name": "import copy\n    copy.dispatch_table",
    "copy of a facade": "import copy, json\n    copy.copy(json)",
    "copy of the facade itself": "import copy\n    copy.deepcopy([copy])",
    "copy of a logger": "import copy, logging\n    copy.deepcopy({1: logging.getLogger()})",
    "copy of a generator": "import copy\n    copy.copy(x for x in [])",
    "copy of an error": "import copy\n    copy.copy(ValueError())",
    "copy of a method": "import copy\n    class C:\n        def f(self): pass\n    copy.copy(C().f)",
    "copy of a hint": "import copy, typing\n    copy.copy(typing.Any)",
    "copy of a lock of one's own": "import asyncio, copy\n    class L(asyncio.Lock): pass\n    copy.copy(L())",
    "copy of a generator of random numbers": "import copy, random\n    class R(random.Random): pass\n    copy.deepcopy(R())",
    "copy of a zone of one's own": "import copy, datetime\n    class Z(datetime.tzinfo): pass\n    copy.deepcopy(Z())",
    "copy of what is nested too deeply": "import copy\n    x = []\n    for i in range(10 ** 5): x = [x]\n    copy.deepcopy(x)",
    "copy of tuples nested too deeply": "import copy\n    x = ()\n    for i in range(10 ** 5): x = (x,)\n    copy.deepcopy(x)",
    "copies without end": "import copy\n    x = ['x'] * 10 ** 6\n    for i in range(10 ** 6): x.append(copy.copy(x))",
    "slot of a logger by name": "import logging\n    getattr(logging.getLogger('a'), '__records__')",
    "globals of a method": "import logging\n    getattr(logging.getLogger('a').info, '__globals__')",
    "globals of a function": "import logging\n    getattr(logging.getLogger, '__globals__')",
    "module inside of logging by name": "import logging\n    logging.os",
    "handler by name": "import logging\n    logging.StreamHandler()",
    "format of logging": "import logging\n    logging.Formatter('{0.__class__}', style='{')",
    "write into a logger": "import logging\n    logging.getLogger('a').name = 'b'",
    "write into a logger by name": "import logging\n    setattr(logging.getLogger('a'), 'info', print)",
    "write into the class of loggers": "import logging\n    logging.Logger.info = print",
    "logger as a base": "import logging\n    class L(logging.Logger): pass",
    "method of a logger with another self": "import logging\n    class C: pass\n    logging.Logger.setLevel(C(), 10)",
    "name that is no text": "import logging\n    class S(str): pass\n    logging.getLogger(S('a'))",
    "width of a format": "import logging\n    logging.info('%*d', 10 ** 12, 1)",
    "memory by names of loggers": "import logging\n    for i in range(10 ** 9): logging.getLogger('a' * 4096 + str(i))",
    "message that nobody can hold": "import logging\n    logging.info('%s' * 10 ** 8, *['x' * 10 ** 6] * 10 ** 8)",
    "traceback of what is none": "import traceback\n    traceback.format_exception('x', 'y')",
    "traceback into a file": "import traceback\n    traceback.print_exc(file=1)",
}
TELLING = {
    "format of a logger's message": (
        "import logging\n    logging.info('{0.__class__} %(x)s', {'x': 1})\n    return hasattr(logging.getLogger(), '__class__')",
        False,
    ),
    "what a logger is called": ("import logging\n    return str(logging.getLogger())", "<Logger root (NOTSET)>"),
    "traceback of an exception of a facade": (
        "import traceback, json\n    try:\n        json.loads('{')\n    except ValueError as e:\n        return traceback.format_exc().count('File')",
        1,
    ),
    "model in itself": (
        "import copy, pydantic\n    class M(pydantic.BaseModel):\n        x: object = None\n    m = M()\n    m.x = m\n    n = copy.deepcopy(m)\n    return [n.x is n, n is m]",
        [True, False],
    ),
    "copy that is twice as large at every level": (
        "import copy\n    x = [1]\n    for i in range(90): x = [x, x]\n    y = copy.deepcopy(x)\n    return y[0] is y[1]",
        True,
    ),
    "copy of a class that says how it is copied": (
        "import copy\n    class C:\n        def reduce(self): return 1\n        reduce_ex = deepcopy = copy = copied = reduce\n    return type(copy.deepcopy(C())) is C",
        True,
    ),
    "copy runs no code of the class": (
        "import copy\n    ran = []\n    class C:\n        def __init__(self): ran.append(1)\n        def __eq__(self, other): ran.append(2)\n    copy.deepcopy([C(), {1: C()}])\n    return ran",
        [1, 1],
    ),
    "own name": ("return [__name__, f'{__name__}', (lambda: __name__)()]", ["function"] * 3),
}
