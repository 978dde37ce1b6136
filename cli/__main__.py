"""`shoal COMMAND`: a command is a file in `cli/commands`, and only the chosen one is imported."""

import sys
from collections.abc import Sequence

from cyclopts import App, Parameter

from cli import commands


def app() -> App:
    """The command line, without any command imported yet."""
    shoal = App(
        name="shoal",
        help="A self-hosted, multi-tenant functions platform.",
        version_flags=[],
        help_format="plaintext",
        result_action="return_value",
        default_parameter=Parameter(show_default=False),
    )
    for name, about in commands.ABOUT.items():
        shoal.command(f"{commands.__name__}.{name}:{name}", name=name, help=about)
    return shoal


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 when it was done, 1 when not, 2 when it was not understood."""
    done = app()(list(sys.argv[1:] if argv is None else argv))
    return done if isinstance(done, int) else 0


if __name__ == "__main__":
    sys.exit(main())
