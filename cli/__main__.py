"""`shoal COMMAND`: a command is a file in `cli/commands`, and only the chosen one is imported."""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from cli import commands, exits
from shared import __version__


def app(chosen: str | None = "") -> App:
    """The command line, without any command imported yet.

    The chosen command tells more of itself than its line here, and with None each of them does.
    """
    shoal = App(
        name="shoal",
        help="A self-hosted, multi-tenant functions platform.",
        version=__version__,
        version_flags=["--version"],
        help_format="plaintext",
        result_action="return_value",
        default_parameter=Parameter(show_default=False),
    )
    for name, about in commands.ABOUT.items():
        told = {} if chosen in (name, None) else {"help": about}
        shoal.command(f"{commands.__name__}.{name}:{name}", name=name, **told)
    return shoal


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: `cli/exits.py` has what each means. Nobody is shown a traceback unasked."""
    try:
        words = list(sys.argv[1:] if argv is None else argv)
        done = app(words[0] if words else "")(words, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # What Python would still write at its end has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.NOBODY_READS
    except CycloptsError as error:
        exits.tell(exits.Fault(exits.MISUSED, str(error)))
        return exits.MISUSED
    except Exception as error:
        if os.environ.get("SHOAL_TRACEBACK"):
            raise
        exits.tell(error if str(error) else Exception(type(error).__name__))
        return exits.OUR_FAULT
    return done if isinstance(done, int) else 0


if __name__ == "__main__":
    sys.exit(main())
