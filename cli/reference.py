"""Every command and option, as they say of themselves: a page of the documentation."""

import re
from collections.abc import Iterable, Iterator

from cli.__main__ import app

_DEFAULTS = re.compile(r" \*\[default: [^\]]*\]\*|(?<=, )default: [^\]*,]*, ?")
_USAGE = re.compile(r"(?:\[|[A-Z]{2}).*")
_CONTENTS = re.compile(r"\n## Table of Contents\n.*?(?=\n## )", re.DOTALL)  # the site has its own
_HEAD = """# Reference of the command line

Made of the commands themselves; `shoal COMMAND --help` says the same. [The command line](../cli.md) says how they are
used, and what their exit codes mean."""


def page() -> str:
    """The page, in Markdown."""
    text = app(None).generate_docs(heading_level=1, max_heading_level=3)
    _, _, body = text.partition("A self-hosted, multi-tenant functions platform.\n")
    return "\n".join((_HEAD, *_usages(_CONTENTS.sub("", _DEFAULTS.sub("", body)).splitlines()))).rstrip() + "\n"


def _usages(lines: Iterable[str]) -> Iterator[str]:
    """Lines in which a command is called as its heading says, however this program was called."""
    command = ""
    for line in lines:
        if line.startswith("#"):
            command = line.lstrip("# ")
        if command and line.startswith(f"{command} ") and (found := _USAGE.search(line)):
            yield f"{command} {found[0]}"
        else:
            yield line.rstrip()
