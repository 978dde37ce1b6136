"""What is to be deployed: one file, a folder of files, or a folder whose `shoal.toml` names its functions."""

import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from cli.exits import REFUSED, UNDONE, Fault

FILE = "shoal.toml"
RUNTIMES = {".py": "python", ".js": "javascript", ".mjs": "javascript", ".ts": "javascript", ".mts": "javascript"}
_SETTINGS: dict[str, type | tuple[type, ...]] = {
    "file": str,
    "description": str,
    "runtime": str,
    "timeout_s": (int, float),
    "memory_mb": int,
    "schedule": str,
    "timezone": str,
    "auth": str,
    "triggers": list,
    "env": dict,
    "secrets": list,
    "egress": str,
    "egress_hosts": list,
    "config": dict,
}


class Wanted(NamedTuple):
    """A function as it is to be. What `settings` do not name stays as it is, or where it is `whole`, as by default."""

    name: str
    code: str
    settings: dict[str, Any]
    whole: bool = False


class Manifest(NamedTuple):
    """All that is to be deployed, and the app that is named with it, if one is."""

    functions: list[Wanted]
    app: str = ""


def of_file(path: Path, *, name: str = "", settings: dict[str, Any] | None = None, whole: bool = False) -> Wanted:
    """One function, named as its file unless it has another name. Raises Fault."""
    runtime = RUNTIMES.get(path.suffix)
    if runtime is None:
        raise Fault(REFUSED, f"{path} is no function", f"a file ends with {', '.join(RUNTIMES)}")
    try:
        code = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Fault(UNDONE, f"{path} cannot be read: {error}") from None
    return Wanted(name or path.stem, code, {"runtime": runtime, **(settings or {})}, whole)


def of_folder(folder: Path) -> Manifest:
    """What `shoal.toml` says; without one each file of the folder itself is a function. Raises Fault."""
    try:
        found = tomllib.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in RUNTIMES)
        if not files:
            raise Fault(UNDONE, f"{folder} has no {FILE}, and no function either") from None
        return Manifest([of_file(path) for path in files])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Fault(UNDONE, f"{folder / FILE} cannot be read: {error}") from None
    app, functions = found.pop("app", ""), found.pop("functions", None)
    if found or not isinstance(app, str) or not isinstance(functions, dict) or not functions:
        raise Fault(REFUSED, f"{folder / FILE} must have tables [functions.NAME], an app, and nothing else")
    return Manifest([_function(folder, name, one) for name, one in functions.items()], app)


def _function(folder: Path, name: str, one: Any) -> Wanted:
    if not isinstance(one, dict):
        raise Fault(REFUSED, f"{FILE}: functions.{name} must be a table")
    for key, value in one.items():
        kind = _SETTINGS.get(key)
        if kind is None:
            raise Fault(
                REFUSED, f"{FILE}: functions.{name} has no setting '{key}'", f"there are {', '.join(_SETTINGS)}"
            )
        if not isinstance(value, kind) or isinstance(value, bool):
            raise Fault(REFUSED, f"{FILE}: {key} of functions.{name} is of another kind")
    if not all(isinstance(each, str | dict) for each in one.get("triggers", [])):
        raise Fault(REFUSED, f"{FILE}: triggers of functions.{name} are types, or tables with a type")
    settings = {key: value for key, value in one.items() if key != "file"}
    return of_file(folder / one.get("file", f"{name}.py"), name=name, settings=settings, whole=True)
