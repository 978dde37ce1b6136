"""`shoal env`: environment variables of functions and apps. Their values are sealed, and never told again."""

import getpass
import re
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from cli import asking, show
from cli.exits import DONE, NOT_FOUND, REFUSED, UNDONE, Fault, tell
from cli.remote import HERE, Remote, Target, run

env = App(name="env", help="Environment variables of functions and apps: set, never shown.")

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
Of = Annotated[str, Parameter(help="the function; all of the app without one")]


@env.command(name="list")
def list_(*, function: Of = "", target: Target = HERE) -> int:
    """List the names of the variables of an app, or of a function.

    Example: shoal env list --function tax
    """

    def work(remote: Remote) -> None:
        show.rows([{"name": key} for key in _keys(remote, function)], ("name",), as_json=target.json)

    return run(target, work)


@env.command(name="set")
def set_(
    *names: str,
    function: Of = "",
    stdin: Annotated[bool, Parameter(negative="", help="read the value of the one NAME from standard input")] = False,
    target: Target = HERE,
) -> int:
    """Set variables: NAME asks for its value, NAME=VALUE has it, where others may see it.

    Example: shoal env set API_KEY --function tax --stdin < key.txt
    """

    def work(remote: Remote) -> None:
        if not names or (stdin and (len(names) != 1 or "=" in names[0])):
            raise Fault(REFUSED, "name the variables", "with --stdin one NAME, without a value")
        _change(remote, function, {**_given(names, stdin=stdin)}, target)

    return run(target, work)


@env.command
def unset(*names: str, function: Of = "", target: Target = HERE) -> int:
    """Take variables away. What is not there is named; the others go.

    Example: shoal env unset API_KEY --function tax
    """

    def work(remote: Remote) -> int:
        if not names:
            raise Fault(REFUSED, "name the variables")
        keys = _keys(remote, function)
        missing = [name for name in names if name not in keys]
        if len(missing) < len(names):
            asking.tell_place(remote.place, as_json=target.json)
            _change(remote, function, {name: None for name in names if name not in missing}, target)
        for name in missing:
            tell(Fault(NOT_FOUND, f"{_whose(remote, function)} has no variable '{name}'"))
        return NOT_FOUND if missing else DONE

    return run(target, work)


@env.command(name="import")
def import_(file: Path, /, *, function: Of = "", target: Target = HERE) -> int:
    """Set the variables of a file of lines NAME=VALUE. Empty lines and those that begin with # are left out.

    Example: shoal env import .env --function tax
    """

    def work(remote: Remote) -> None:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Fault(UNDONE, f"{file} cannot be read: {error}") from None
        values: dict[str, str | None] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            found = _LINE.fullmatch(line.strip())
            if found is None:
                raise Fault(REFUSED, f"line {number} of {file} is not like NAME=VALUE")  # the line may be a secret
            values[found[1]] = _unquoted(found[2])
        if not values:
            raise Fault(REFUSED, f"{file} has no variables")
        _change(remote, function, values, target)

    return run(target, work)


def _change(remote: Remote, function: str, values: dict[str, str | None], target: Target) -> None:
    path = f"{remote.function(function)}/env" if function else _of_app(remote)
    keys = remote.do("PATCH", path, body={"envVars": values})["updatedKeys"]
    names = f"the variables {', '.join(keys)}" if keys else "no variables"
    show.done(f"{_whose(remote, function)} has {names}", {"keys": keys}, as_json=target.json)


def _keys(remote: Remote, function: str) -> list[str]:
    """The names of what is set. Raises Fault."""
    path, word = (remote.function(function), "envKeys") if function else (_of_app(remote), "keys")
    keys: list[str] = remote.get(path)[word]
    return keys


def _whose(remote: Remote, function: str) -> str:
    return f"{function} of app {remote.app}" if function else f"app {remote.app}"


def _given(names: tuple[str, ...], *, stdin: bool) -> dict[str, str]:
    values = {}
    for text in names:
        name, equals, value = text.partition("=")
        if not equals:
            value = sys.stdin.read().removesuffix("\n") if stdin else _typed(name)
        values[name] = value
    return values


def _typed(name: str) -> str:
    if not sys.stdin.isatty():
        raise Fault(
            UNDONE,
            f"there is no terminal to ask for the value of the variable {name}",
            "send it with --stdin; --function names a function",
        )
    return getpass.getpass(f"{name}: ")


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _of_app(remote: Remote) -> str:
    return remote.deployed.removesuffix("functions") + "env"
