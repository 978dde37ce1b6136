"""Servers that the command line knows: their addresses, tokens and apps, in a file for its owner alone to read."""

import json
import os
import re
import stat
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from cli.exits import NOT_FOUND, UNDONE, Fault

APP = "default"
VARIABLES = ("SHOAL_CONFIG", "SHOAL_CONTEXT", "SHOAL_URL", "SHOAL_TOKEN", "SHOAL_APP", "SHOAL_TRACEBACK")
"""Of the command line alone: no service knows them, and each refuses what it does not know."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,50}")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_HOW = "`shoal up` starts one here, `shoal context add` names another one"


class Context(NamedTuple):
    """A server, who asks it, and the app that is meant. `name` is empty for what is in no file."""

    url: str
    token: str
    app: str = APP
    name: str = ""
    source: str = ""


class Contexts(NamedTuple):
    """What the file has."""

    known: dict[str, Context]
    current: str = ""

    def named(self, name: str) -> Context:
        """Raises Fault."""
        if name not in self.known:
            raise Fault(NOT_FOUND, f"there is no context '{name}'", "`shoal context list` shows those there are")
        return self.known[name]


def path(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the file is: SHOAL_CONFIG, or below the folder of the user's settings."""
    if named := environ.get("SHOAL_CONFIG"):
        return Path(named)
    base = environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME") or Path.home()) / ".config"
    return Path(base) / "shoal" / "contexts.toml"


def read(environ: Mapping[str, str] = os.environ) -> Contexts:
    """What there is; nothing where there is no file. Raises Fault."""
    file = path(environ)
    try:
        text = file.read_text(encoding="utf-8")
        if file.stat().st_mode & _OTHERS:
            print(f"shoal: {file} holds tokens, and others may read it: chmod 600 {file}", file=sys.stderr)
        found = tomllib.loads(text)
        known = {name: _context(name, one) for name, one in _table(found.get("contexts", {}), "contexts").items()}
        return Contexts(known, _text(found.get("current", ""), "current"))
    except FileNotFoundError:
        return Contexts({})
    except OSError as error:
        raise Fault(UNDONE, f"{file} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError, Fault) as error:
        raise Fault(UNDONE, f"{file} cannot be read: {error}") from None


def write(contexts: Contexts, environ: Mapping[str, str] = os.environ) -> None:
    """Whole or not at all, mode 0600. Raises Fault."""
    file = path(environ)
    lines = [f"current = {_quoted(contexts.current)}", ""]
    for name, one in contexts.known.items():
        lines += [f"[contexts.{_key(name)}]", f"url = {_quoted(one.url)}", f"token = {_quoted(one.token)}"]
        lines += [f"app = {_quoted(one.app)}", ""]
    try:
        text = "\n".join(lines).encode()
    except UnicodeEncodeError:
        raise Fault(UNDONE, f"{file} cannot be written: there is something in a context that is no UTF-8") from None
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, draft = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mkstemp's mode is 0600
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(text)
        Path(draft).replace(file)
    except OSError as error:
        raise Fault(UNDONE, f"{file} cannot be written: {error.strerror}") from None


def wanted(*, context: str = "", data_dir: str = "", environ: Mapping[str, str] = os.environ) -> Context:
    """The server that is meant: what is on the command line goes before the environment, that before the file.

    Where nothing names one it is the `shoal up` that runs on the usual folder. Raises Fault.
    """
    found = chosen(context=context, data_dir=data_dir, environ=environ)
    if found is not None:
        return found
    return of_folder(environ.get("SHOAL_DATA_DIR") or ".shoal")


def chosen(*, context: str = "", data_dir: str = "", environ: Mapping[str, str] = os.environ) -> Context | None:
    """The server that somebody has named, or None where nobody has. Raises Fault."""
    if context:
        return read(environ).named(context)
    if data_dir:
        return of_folder(data_dir)
    if url := environ.get("SHOAL_URL"):
        app = environ.get("SHOAL_APP") or APP
        return Context(checked_url(url), checked_token(environ.get("SHOAL_TOKEN", "")), app, source="SHOAL_URL")
    if name := environ.get("SHOAL_CONTEXT"):
        return read(environ).named(name)
    if not environ.get("SHOAL_DATA_DIR"):
        contexts = read(environ)
        if contexts.current:
            return contexts.named(contexts.current)
    return None


def of_folder(folder: str) -> Context:
    """The `shoal up` that runs on this data folder. Raises Fault."""
    full = Path(folder).absolute()
    try:
        facts = json.loads((full / "ready.json").read_text())
        return Context(str(facts["url"]), str(facts["token"]), source=str(full))
    except (OSError, ValueError, KeyError):
        raise Fault(UNDONE, f"nothing runs on data folder {full}, and no context is in use", _HOW) from None


def checked_name(name: str) -> str:
    """Raises Fault."""
    if not _NAME.fullmatch(name):
        raise Fault(UNDONE, f"'{name}' is no name of a context", "it has 1 to 50 letters, digits, - and _")
    return name


def checked_url(url: str) -> str:
    """Raises Fault for what is no address of a server."""
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise Fault(UNDONE, f"'{url}' is no address of a server", "like https://shoal.example.org")
    if parts.username or parts.password:
        raise Fault(UNDONE, "an address has no name and no password in it", "the token is asked for")
    return url.rstrip("/")


def checked_token(token: str) -> str:
    """Raises Fault for what cannot stand in a header line."""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Fault(UNDONE, "a token is one word of ASCII characters")
    return token


def _context(name: str, one: Any) -> Context:
    """One table of the file. Raises Fault that names it."""
    where = f"contexts.{_key(name)}"
    table = _table(one, where)
    if "url" not in table:
        has_dot = any(isinstance(inner, dict) for inner in table.values())
        raise Fault(UNDONE, f"{where} has no url", "a name with a dot in it is written in quotes" if has_dot else "")
    url, token, app = (_text(table.get(each, ""), f"{where}.{each}") for each in ("url", "token", "app"))
    try:
        return Context(checked_url(url), checked_token(token), app or APP, name, source=f"context {name}")
    except Fault as fault:
        raise Fault(fault.code, f"{where}: {fault}") from None


def _table(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Fault(UNDONE, f"{what} is no table")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise Fault(UNDONE, f"{what} is no text")
    return value


def _key(name: str) -> str:
    """A name as it is written in the file: those of `_NAME` as they are, what somebody else has written in quotes."""
    return name if _NAME.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    """A TOML string: JSON's escapes are among its own, and what JSON leaves unescaped but TOML does not is no name."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
