"""`shoal COMMAND`: every file in `cli/commands` is a command, and only the chosen one is imported."""

import argparse
import importlib
import pkgutil
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from cli import commands


class Command(Protocol):
    """What a file in `cli/commands` offers."""

    __doc__: str | None

    def arguments(self, parser: argparse.ArgumentParser, /) -> None:
        """Declare the options."""

    def run(self, options: argparse.Namespace, /) -> int:
        """Do it; the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    names = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))
    parser = argparse.ArgumentParser(prog="shoal", description="A self-hosted, multi-tenant functions platform.")
    parsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in arguments[:1] if arguments[:1] and arguments[0] in names else names:
        command = cast(Command, importlib.import_module(f"{commands.__name__}.{name}"))
        about = (command.__doc__ or "").strip()
        chosen = parsers.add_parser(name, help=about.partition("\n")[0], description=about)
        command.arguments(chosen)
        chosen.set_defaults(run=command.run)
    options = parser.parse_args(arguments)
    return cast(int, options.run(options))


if __name__ == "__main__":
    sys.exit(main())
