"""What is asked at the terminal: passwords, which are never on a command line, and whether one is sure."""

import getpass
import sys

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


def sure(what: str, word: str, *, yes: bool) -> None:
    """Let the word be typed before something is lost. Raises OpenError."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise OpenError(f"{what}; say --yes if that is what you want")
    if input(f"{what}. Type {word} to go on: ").strip() != word:
        raise OpenError("nothing was changed")
