"""What a function may import: facades with a fixed list of names, never a module.

A module is a door to every module it has imported itself (`re.enum.sys`, `json.codecs`), and functions that read
attributes by name (operator.attrgetter, functools.wraps, string.Formatter) go round the guards: neither is handed out.
"""

import calendar
import importlib
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.executor.modes.python import asyncio_facade, copy_facade, hints, logging_facade, traceback_facade
from services.executor.modes.python.instead import instead
from services.executor.modes.python.models.names import names as names_of_pydantic
from services.executor.modes.python.own_code import is_own
from services.executor.modes.python.waiting import sleep

_EXPORTS = {
    "base64": (
        "b64encode b64decode urlsafe_b64encode urlsafe_b64decode standard_b64encode standard_b64decode b32encode "
        "b32decode b16encode b16decode b85encode b85decode"
    ),
    "bisect": "bisect bisect_left bisect_right insort insort_left insort_right",
    "calendar": "isleap leapdays monthrange monthcalendar weekday timegm",
    "collections": "ChainMap Counter OrderedDict defaultdict deque namedtuple",
    "datetime": "MAXYEAR MINYEAR UTC date datetime time timedelta timezone tzinfo",
    "decimal": (
        "Decimal Context localcontext getcontext DecimalException DivisionByZero Inexact InvalidOperation Overflow "
        "Rounded Underflow ROUND_CEILING ROUND_DOWN ROUND_FLOOR ROUND_HALF_DOWN ROUND_HALF_EVEN ROUND_HALF_UP "
        "ROUND_UP ROUND_05UP"
    ),
    "fractions": "Fraction",
    "functools": "cache cmp_to_key lru_cache partial reduce",
    "hashlib": (
        "blake2b blake2s md5 pbkdf2_hmac scrypt sha1 sha224 sha256 sha384 sha3_224 sha3_256 sha3_384 sha3_512 sha512"
    ),
    "heapq": "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest",
    "hmac": "compare_digest digest new",
    "html": "escape unescape",
    "itertools": (
        "accumulate chain combinations combinations_with_replacement compress count cycle dropwhile filterfalse "
        "groupby islice pairwise permutations product repeat starmap takewhile tee zip_longest"
    ),
    "json": "JSONDecodeError dumps loads",
    "math": (
        "acos acosh asin asinh atan atan2 atanh cbrt ceil comb copysign cos cosh degrees dist e erf erfc exp exp2 "
        "expm1 fabs factorial floor fmod frexp fsum gamma gcd hypot inf isclose isfinite isinf isnan isqrt lcm "
        "ldexp lgamma log log10 log1p log2 modf nan nextafter perm pi pow prod radians remainder sin sinh sqrt tan "
        "tanh tau trunc ulp"
    ),
    "operator": (
        "add and_ concat contains countOf eq floordiv ge getitem gt index indexOf inv invert is_ is_not itemgetter "
        "le lshift lt matmul mod mul ne neg not_ or_ pos pow rshift sub truediv truth xor"
    ),
    "random": (
        "betavariate choice choices expovariate gammavariate gauss getrandbits lognormvariate normalvariate "
        "paretovariate randbytes randint random randrange sample shuffle triangular uniform vonmisesvariate "
        "weibullvariate"
    ),
    "re": "compile error escape findall finditer fullmatch match search split sub subn",
    "secrets": "choice compare_digest randbelow randbits token_bytes token_hex token_urlsafe",
    "statistics": (
        "StatisticsError correlation covariance fmean geometric_mean harmonic_mean linear_regression mean median "
        "median_grouped median_high median_low mode multimode pstdev pvariance quantiles stdev variance"
    ),
    "string": (
        "ascii_letters ascii_lowercase ascii_uppercase capwords digits hexdigits octdigits printable punctuation "
        "whitespace"
    ),
    "textwrap": "dedent fill indent shorten wrap",
    "time": (
        "asctime ctime gmtime localtime mktime monotonic monotonic_ns perf_counter perf_counter_ns process_time "
        "strftime strptime struct_time time time_ns"
    ),
    "urllib.parse": (
        "parse_qs parse_qsl quote quote_plus unquote unquote_plus urlencode urljoin urlparse urlsplit urlunparse "
        "urlunsplit"
    ),
    "uuid": "NAMESPACE_DNS NAMESPACE_OID NAMESPACE_URL NAMESPACE_X500 UUID uuid3 uuid4 uuid5",
}


class Facade:
    """Stands for a module and has the exported names, nothing else."""

    def __init__(self, title: str, names: Mapping[str, Any]) -> None:
        self._title = title
        vars(self).update(names)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self._title}.{name} is not available here{instead(f'{self._title}.{name}')}")

    def __repr__(self) -> str:
        return f"<{self._title}>"


class Random(random.Random):
    """Python's own writes to whatever it is given as `self` before it knows that it is none of its kind."""

    def setstate(self, state: Any) -> None:
        """What `getstate` gave."""
        if not isinstance(self, Random):
            raise TypeError("this is a method of Random objects")
        super().setstate(state)


class _Randomness:
    """Lets a function seed the generator, and makes the seed end with the call."""

    seeded = False

    def seed(self, value: Any = None) -> None:
        """The function's random.seed()."""
        self.seeded = True
        random.seed(value)

    def forget(self) -> None:
        """After the call: unpredictable again."""
        if self.seeded:
            self.seeded = False
            random.seed()


def _wraps(original: Any) -> Callable[[Any], Any]:
    """functools.wraps without the copying of attributes, which would carry over what the original hides.

    What was wrapped is noted where only the platform can read it: a hook of a plugin is given what that one names.
    """

    def unchanged(wrapper: Any) -> Any:
        if is_own(wrapper) and is_own(original):
            wrapper.__wrapped__ = original
        return wrapper

    return unchanged


def _flags(module: Any) -> dict[str, int]:
    """The flags of `re` as plain numbers: an enum member is a way to its class, and the class to more."""
    names = ["A", "ASCII", "I", "IGNORECASE", "M", "MULTILINE", "S", "DOTALL", "X", "VERBOSE"]
    return {name: int(getattr(module, name)) for name in names}


_randomness = _Randomness()


def _extras() -> dict[str, dict[str, Any]]:
    """Exports that are made rather than taken over."""
    return {
        "__future__": {"annotations": None},
        # C code asks for it from inside the function's frame (datetime.strptime) and takes nothing from what it gets.
        "_strptime": {},
        "asyncio": asyncio_facade.NAMES,
        "calendar": {
            "day_abbr": tuple(calendar.day_abbr),
            "day_name": tuple(calendar.day_name),
            "month_abbr": tuple(calendar.month_abbr),
            "month_name": tuple(calendar.month_name),
        },
        "collections.abc": hints.OF_COLLECTIONS,
        "copy": copy_facade.NAMES,
        "functools": {"wraps": _wraps},
        "logging": logging_facade.NAMES,
        "pydantic": names_of_pydantic(),
        "random": {"Random": Random, "seed": _randomness.seed},
        "re": _flags(importlib.import_module("re")),
        "time": {"sleep": sleep},
        "traceback": traceback_facade.NAMES,
        "typing": hints.OF_TYPING,
    }


def _uncached(value: Any) -> Any:
    """Without a cache, which would tell by its counts what a call before has asked."""
    return getattr(value, "__wrapped__", value) if hasattr(value, "cache_info") else value


def _build() -> dict[str, Facade]:
    extras = _extras()
    facades = {}
    for title in sorted({*_EXPORTS, *extras}):
        wanted = _EXPORTS.get(title, "").split()
        module = importlib.import_module(title) if wanted else None
        names = {name: _uncached(getattr(module, name)) for name in wanted}
        facades[title] = Facade(title, names | extras.get(title, {}))
    vars(facades["collections"])["abc"] = facades["collections.abc"]
    facades["urllib"] = Facade("urllib", {"parse": facades["urllib.parse"]})
    return facades


FACADES = _build()
MODULES = tuple(title for title in FACADES if not title.startswith("_") and title != "urllib")


def exports(title: str) -> frozenset[str]:
    """The names a facade has; empty for a module that is not available."""
    facade = FACADES.get(title)
    return frozenset(name for name in vars(facade) if name != "_title") if facade else frozenset()


def import_facade(  # noqa: PLR0917 - the signature of __import__
    name: str,
    globals: Mapping[str, Any] | None = None,  # noqa: A002
    locals: Mapping[str, Any] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> Facade:
    """The `__import__` of a function: exact names only, no path behind a dot that is not a facade itself."""
    if type(name) is not str or level != 0:
        raise ImportError("relative imports are not available")
    facade = FACADES.get(name)
    if facade is None:
        raise ModuleNotFoundError(f"module {name!r} is not available here{instead(name)}")
    for item in fromlist or ():
        # C code asks with ("__doc__",) and takes nothing; the compiler refuses that name in a source.
        if item not in vars(facade) and item != "__doc__":
            raise ImportError(f"{name}.{item} is not available here{instead(f'{name}.{item}')}")
    return facade if fromlist else FACADES[name.partition(".")[0]]


def forget_seed() -> None:
    """Undo a random.seed() of the call that has ended."""
    _randomness.forget()
