# ruff: noqa: E501 - a source in one string reads better than in pieces
"""Attacks by way of private names, of the names that plugins are given, and of annotations: bodies of `main`."""

_HOOKS = "_getattr_ _getitem_ _getiter_ _write_ _print_ _printed_ _apply_ _await_ _aiter_ _own_ _readown_ _inplaceown_ _inplacevar_"
_UNGIVEN = "__builtins__ __import__ __name__ __metaclass__ __build_class__ __class__ __annotations__ __dict__"

REFUSED = {
    **{f"{name} as a variable": f"{name} = 1" for name in f"{_HOOKS} {_UNGIVEN}".split()},
    **{f"{name} as a parameter": f"def f({name}): pass" for name in f"{_HOOKS} {_UNGIVEN}".split()},
    **{f"{name} as a parameter of a lambda": f"lambda {name}: 1" for name in f"{_HOOKS} {_UNGIVEN}".split()},
    **{f"{name} as an attribute": f"context.{name}" for name in f"{_HOOKS} {_UNGIVEN}".split()},
    **{f"{name} in a class": f"class A:\n        {name} = 1" for name in f"{_HOOKS} {_UNGIVEN}".split()},
    "guard in other letters": "\uff3fgetattr\uff3f = 1",
    "guard in other letters, as a parameter": "def f(\uff3fgetattr_): pass",
    "magic attribute in other letters": "().\uff3f\uff3fclass\uff3f\uff3f",
    "mangled attribute": "context._Facade__title",
    "mangled attribute, written": "context._Facade__title = 1",
    "mangled attribute, added to": "context._Facade__title += 1",
    "name in a class that would be mangled": "class A:\n        __x = 1",
    "mark of open classes": "class A:\n        __open_to_private_names__ = True",
    "private module": "import _thread",
    "private module in try": "try:\n        import _strptime\n    except ImportError:\n        pass",
    "private name of a module in try": "try:\n        from json import _title\n    except ImportError:\n        pass",
    "hidden module under a private name": "import sys as _sys",
    "given name as a variable": "__user__ = 1",
    "given name as a global": "global __user__",
    "given name in a class": "class A:\n        __user__ = 1",
    "given name as a function": "def __user__(): pass",
    "given name as an attribute": "context.__user__",
    "given name as an attribute, written": "context.__user__ = 1",
    "given name that nobody gives": "return __user__",
    "given name by a loop": "for __user__ in [1]: pass",
    "given name by an import": "import math as __user__",
    "annotation that climbs": "class A(Exception):\n        x: ().__class__ = 1",
    "annotation that binds a guard": "class A(Exception):\n        x: (_getattr_ := 1) = 1",
    "annotation of a guard": "class A(Exception):\n        _getattr_: int = 1",
    "annotation of a magic name": "class A(Exception):\n        __slots__: list = []",
    "annotation that yields": "class A(Exception):\n        x: (yield) = 1",
    "annotation of an attribute of a guard": "class A(Exception):\n        context._x_: int = 1",
    "annotations in the body": "class A(Exception):\n        x: int = 1\n        y = __annotations__",
    "annotations of a class": "class A(Exception):\n        x: int = 1\n    A.__annotations__",
}

_FOREIGN = {
    "a dict": "{}",
    "a list's class": "list",
    "a function": "main",
    "a built-in function": "len",
    "a method": "[].append",
    "a facade": "json",
    "a response": "Response()",
    "its class": "Response",
    "an error": "ValueError()",
    "a named tuple": "T(1)",
    "its class ": "T",
    "a random generator": "random.Random(1)",
    "a coroutine": "c()",
    "the printer": "print",
    "the logger": "log",
    "a pattern": "re.compile('x')",
    "an instance of a subclass": "R(1)",
    "its own class": "R",
}
_SETTING = "import json, re, random, hmac, collections, urllib.parse\n    T = collections.namedtuple('T', 'x')\n    async def c(): pass\n    class R(random.Random): pass\n    class A: pass\n    class B(A): pass\n    "

FAILS = {
    name: _SETTING + body
    for name, body in (
        {
            **{f"private attribute of {what}": f"{one}._x" for what, one in _FOREIGN.items()},
            **{f"private attribute of {what}, written": f"{one}._x = 1" for what, one in _FOREIGN.items()},
            **{f"private attribute of {what}, added to": f"{one}._x += 1" for what, one in _FOREIGN.items()},
            **{f"private attribute of {what}, deleted": f"del {one}._x" for what, one in _FOREIGN.items()},
            **{f"private attribute of {what} by name": f"getattr({one}, '_x')" for what, one in _FOREIGN.items()},
            **{
                f"private attribute of {what} with a default": f"getattr({one}, '_x', 1)"
                for what, one in _FOREIGN.items()
            },
            **{f"private attribute of {what} by setattr": f"setattr({one}, '_x', 1)" for what, one in _FOREIGN.items()},
            **{f"private attribute of {what} by delattr": f"delattr({one}, '_x')" for what, one in _FOREIGN.items()},
            "title of a facade": "json._title",
            "module behind a facade": "re._parser",
            "fields of a named tuple": "T._fields",
            "making of a named tuple": "T._make([1])",
            "subclass of a named tuple": "class S(T): pass\n    S(1)._asdict()",
            "private name over a named tuple": "class S(T):\n        _fields = ('y',)",
            "private name over a random generator": "class S(random.Random):\n        def _randbelow(self, n): return 0",
            "private name over a random generator by a parent": "class M:\n        def _randbelow(self, n): return 0\n    class S(M, random.Random): pass",
            "private name over a random generator by a parent, later": "class S(A, random.Random): pass\n    A._randbelow = 1",
            "private name over a random generator by a grandparent, later": "class S(B, random.Random): pass\n    A._randbelow = 1",
            "private name of an instance whose class was closed": "a = A()\n    a._x = 1\n    class S(A, random.Random): pass\n    a._x",
            "slot of a hash, shadowed": "class H(type(hmac.new(b'k', digestmod='md5'))):\n        _hmac = 1",
            "slot of a hash": "class H(type(hmac.new(b'k', digestmod='md5'))): pass\n    H(b'k', digestmod='md5')._hmac",
            "slot of a hash by its class": "type(hmac.new(b'k', digestmod='md5'))._hmac",
            "counterpart of a URL": "type(urllib.parse.urlparse('x'))._encoded_counterpart",
            "counterpart of a URL, replaced": "class U(type(urllib.parse.urlparse('x'))):\n        _encoded_counterpart = print",
            "host of a URL": "urllib.parse.urlparse('http://a')._hostinfo",
            "keeping of a counter": "class C(collections.Counter):\n        def _keep_positive(self): pass",
            "hook by name": "getattr(A(), '_getattr_')",
            "hook by setattr": "setattr(A, '_getattr_', 1)",
            "mangled by name": "getattr(A(), '_A__x')",
            "mangled by setattr": "setattr(A(), '_A__x', 1)",
            "magic by name": "getattr(A(), '__dict__')",
            "magic by setattr": "setattr(A, '__getattr__', lambda s, n: 1)",
            "mark by setattr": "setattr(A, '__open_to_private_names__', 1)",
            "given name by getattr": "getattr(A(), '__user__')",
            "given name by setattr": "setattr(A(), '__user__', 1)",
            "private name in a kind of text": "class S(str): pass\n    getattr(A(), S('_x'))",
            "private name in a kind of text by setattr": "class S(str): pass\n    setattr(A(), S('_x'), 1)",
            "private name through map": "list(map(getattr, [json], ['_title']))",
            "private name by format": "'{0._title}'.format(json)",
            "private name that is not there": "A()._x",
            "private method on somebody else": "class M:\n        def _m(self): return self._title\n    M._m(json)",
            "private property on somebody else": "class M:\n        @property\n        def p(self): return self._title\n    M.p.fget(json)",
            "annotations by name": "class S(A):\n        x: int = 1\n    getattr(S, '__annotations__')",
            "annotations by setattr": "setattr(A, '__annotations__', {})",
            "annotation that fails": "class S(A):\n        x: 1 / 0",
            "annotation that recurses": "def f():\n        class S(A):\n            x: f()\n    f()",
            "facade as a base with annotations": "class S(json):\n        x: int = 1",
            "keyword for a parameter of ours": "print('x', _output=1)",
        }
    ).items()
}

TELLING = {
    "private names are not those of the platform": (
        "_print, _getattr, _tmp0 = 1, 2, 3\n    print('x')\n    d = {}\n    d['a'] = [_print, _getattr, _tmp0]\n    return [d, printed]",
        [{"a": [1, 2, 3]}, "x\n"],
    ),
    "a library calls with nothing of its own": (
        "import random\n    class Mine:\n        _seen = []\n        def _randbelow(self, n):\n            self._seen.append(n)\n            return 0\n    random.Random.shuffle(Mine(), [1, 2, 3])\n    return Mine._seen",
        [3, 2],
    ),
    "a library copies what it was given": (
        "import hmac\n    class Part:\n        def copy(self): return 'copied'\n    class Mine:\n        _hmac, digest_size = Part(), 1\n    return type(hmac.new(b'k', digestmod='md5')).copy(Mine())._hmac",
        "copied",
    ),
    "a private name looks absent elsewhere": (
        "import json\n    return [hasattr(o, '_title') for o in (json, Response, main, 1, ValueError)]",
        [False] * 5,
    ),
    "a given name is a keyword like others": ("return dict(__user__=1, __class__=2)", {"__user__": 1, "__class__": 2}),
    "annotations run where they stand": (
        "class A: pass\n    class B(A):\n        x: print('seen') = 1\n    return [B.x, printed]",
        [1, "seen\n"],
    ),
}
