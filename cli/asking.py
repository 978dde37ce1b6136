"""What is asked at the terminal: passwords, which are never on a command line, and whether one is sure, and where."""

import getpass
import sys

from cli.exits import plain
from cli.opened import OpenError


def password(*, stdin: bool) -> str:
    """A new password: the first line of standard input, or asked for twice. Raises OpenError."""
    if stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise OpenError("there is no terminal to ask for the password: send it with --password-stdin")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise OpenError("the two are not the same")
    return first


def sure(what: str, word: str, *, place: str, yes: bool, as_json: bool) -> None:
    """Let the word be typed before something is lost at a place, if it is at one: a server, a store. Raises OpenError.

    Who is not asked is told of the place.
    """
    if yes:
        tell_place(place, as_json=as_json)
        return
    question = plain(f"{what}, at {place}" if place else what)
    if not sys.stdin.isatty():
        raise OpenError(f"{question}; say --yes if that is what you want")
    if input(f"{question}. Type {word} to go on: ").strip() != word:
        raise OpenError("nothing was changed")


def tell_place(place: str, *, as_json: bool) -> None:
    """Say on stderr where something is about to be lost; to a program, which asks for JSON, nothing."""
    if place and not as_json:
        print(f"shoal: at {plain(place)}", file=sys.stderr)
