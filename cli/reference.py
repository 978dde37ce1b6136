"""`python -m cli.reference > docs/reference/cli.md`: every command and option, as they say of themselves."""

import re
from collections.abc import Iterable, Iterator

from cli.__main__ import app

_DEFAULTS = re.compile(r" \*\[default: [^\]]*\]\*|(?<=, )default: [^\]*,]*, ?")
_USAGE = re.compile(r"(?:\[|[A-Z]{2}).*")
_HEAD = """# Reference of the command line

Made by `python -m cli.reference` from the commands themselves. [The command line](../cli.md) says how they are used."""


def page() -> str:
    """The page, in Markdown."""
    text = app(None).generate_docs(heading_level=1, max_heading_level=3)
    _, _, body = text.partition("A self-hosted, multi-tenant functions platform.\n")
    return "\n".join((_HEAD, *_usages(_DEFAULTS.sub("", body).splitlines()))).rstrip() + "\n"


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


if __name__ == "__main__":
    print(page(), end="")
