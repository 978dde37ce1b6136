"""The command line, as it describes itself."""

import re

from cli.__main__ import app

_ABOUT = """Made of the commands themselves; `shoal COMMAND --help` says the same. Exit codes: 0 it was done, 1 it was
not, 2 it was not understood.
"""


def made() -> str:
    """The page."""
    text = app().generate_docs(output_format="markdown")
    text = re.sub(r"\n## Table of Contents\n.*?(?=\n\*\*Commands\*\*)", "\n", text, count=1, flags=re.DOTALL)
    return text.replace("# shoal\n", f"# The command line\n\n{_ABOUT}", 1)
