"""What is not there, by what people write: where what they want is to be found."""

_SETTINGS = (
    "what is set for a function is in ctx.env (of a handler, or a hook's __ctx__), and in the valves of a plugin"
)
_NETWORK = "there is no network, a function computes"
_PROCESSES = "a call is one process with one thread"
_HANDLERS = "lines go to the log of the call, leave handlers out"

_INSTEAD = {
    "os": _SETTINGS,
    "pathlib": "there are no files",
    "tempfile": "there are no files",
    "requests": _NETWORK,
    "httpx": _NETWORK,
    "aiohttp": _NETWORK,
    "urllib.request": _NETWORK,
    "socket": _NETWORK,
    "threading": _PROCESSES,
    "multiprocessing": _PROCESSES,
    "concurrent.futures": _PROCESSES,
    "subprocess": _PROCESSES,
    "enum": "annotate with Literal, and keep the values in a class or a dict",
    "dataclasses": "write a class with __init__, or a BaseModel of pydantic",
    "typing_extensions": "typing has what there is",
    "abc": "leave the base out, and raise NotImplementedError in the methods",
    "logging.StreamHandler": _HANDLERS,
    "logging.Formatter": _HANDLERS,
    "logging.Handler": _HANDLERS,
    "typing.TypedDict": "annotate with dict",
    "typing.NamedTuple": "use collections.namedtuple, or a class",
    "typing.Protocol": "leave the base out",
    "typing.Generic": "leave the base out",
}


def instead(name: str) -> str:
    """A way round for a module, or a name of one, to stand behind the sentence that it is not available."""
    advice = _INSTEAD.get(name) or _INSTEAD.get(name.partition(".")[0])
    return f": {advice}" if advice else ""
