"""`shoal context`: servers by name, so that a token is given once."""

import getpass
import sys
from typing import Annotated, Any

from cyclopts import App, Parameter

from cli import asking, contexts, show
from cli.exits import DONE, UNDONE, Fault, tell

context = App(name="context", help="Servers by name: their addresses, tokens and apps.")

_COLUMNS = ("name", "url", "app", "in_use")
_SHOWN = ("name", "url", "app", "in_use", "has_token", "source")

Json = Annotated[bool, Parameter(negative="", help="answer in JSON, for programs")]


@context.command
def add(
    name: str,
    url: str,
    /,
    *,
    app: Annotated[str, Parameter(help="the app that is meant where none is named")] = contexts.APP,
    token_stdin: Annotated[bool, Parameter(negative="", help="read the token from standard input, one line")] = False,
    check: Annotated[bool, Parameter(negative="--no-check", help="ask the server whether it knows the token")] = True,
    json: Json = False,
) -> int:
    """Name a server, or give a known one another address or token, and use it from now on.

    The token is asked for, or read from standard input: never an argument, which others on this machine may see.

    Example: shoal context add prod https://shoal.example.org --app shop
    """

    def work() -> None:
        made = contexts.Context(contexts.checked_url(url), "", app, contexts.checked_name(name))
        if made.url.startswith("http://") and not made.url.startswith(("http://127.", "http://localhost")):
            print("shoal: the token travels in the clear: anybody on the way can read it", file=sys.stderr)
        made = made._replace(token=contexts.checked_token(_token(stdin=token_stdin)))
        if check:
            _check(made)
        known = contexts.read()
        contexts.write(contexts.Contexts({**known.known, name: made}, name))
        show.done(f"Context {name} is in use: {made.url}", _row(made, name), as_json=json)

    return _run(work)


@context.command
def use(name: str, /, *, json: Json = False) -> int:
    """Use this server from now on.

    Example: shoal context use prod
    """

    def work() -> None:
        known = contexts.read()
        one = known.named(name)
        contexts.write(known._replace(current=name))
        show.done(f"Context {name} is in use: {one.url}", _row(one, name), as_json=json)

    return _run(work)


@context.command(name="list")
def list_(*, json: Json = False) -> int:
    """List the servers that are known, without their tokens."""

    def work() -> None:
        known = contexts.read()
        rows = [_row(one, known.current) for one in known.known.values()]
        show.rows(rows, _COLUMNS, as_json=json)

    return _run(work)


@context.command(name="show")
def show_(name: str = "", /, *, json: Json = False) -> int:
    """Show which server is meant, and where that was said; or the one of this name. Never the token."""

    def work() -> None:
        one = contexts.read().named(name) if name else contexts.wanted()
        show.one(_row(one, contexts.read().current), _SHOWN, as_json=json)

    return _run(work)


@context.command
def remove(
    name: str, /, *, yes: Annotated[bool, Parameter(negative="", help="do not ask")] = False, json: Json = False
) -> int:
    """Forget a server and its token. The token stays good: `shoal token revoke` ends it."""

    def work() -> None:
        known = contexts.read()
        known.named(name)
        asking.sure(f"The token of context {name} will be forgotten", name, place="", yes=yes, as_json=json)
        left = {other: one for other, one in known.known.items() if other != name}
        contexts.write(contexts.Contexts(left, known.current if known.current in left else ""))
        show.done(f"Context {name} is removed", {"name": name, "removed": True}, as_json=json)

    return _run(work)


def _token(*, stdin: bool) -> str:
    if stdin:
        return sys.stdin.readline().strip()
    if not sys.stdin.isatty():
        raise Fault(UNDONE, "there is no terminal to ask for the token", "send it with --token-stdin")
    return getpass.getpass("Token: ").strip()


def _check(made: contexts.Context) -> None:
    from cli.remote import Remote

    remote = Remote(made)
    try:
        remote.get("/api/users/me/")
    finally:
        remote.close()


def _row(one: contexts.Context, current: str) -> dict[str, Any]:
    row = {"name": one.name, "url": one.url, "app": one.app, "in_use": bool(one.name) and one.name == current}
    return {**row, "has_token": bool(one.token), "source": one.source}


def _run(work: Any) -> int:
    from cli.opened import OpenError

    try:
        work()
    except Fault as fault:
        tell(fault)
        return fault.code
    except OpenError as error:
        tell(error)
        return UNDONE
    return DONE
