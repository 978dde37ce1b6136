"""What the documentation says of the command line is what there is."""

import re
from pathlib import Path

from cli import commands, exits, reference
from cli.contexts import VARIABLES
from cli.manifest import _SETTINGS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "cli.md").read_text()


def test_the_reference_has_every_command_as_it_is_called():
    page = reference.page()
    headings = re.findall(r"^##+ (shoal .*)$", page, re.MULTILINE)
    assert {heading.split()[1] for heading in headings} == set(commands.ABOUT)
    usages = re.findall(r"^```console\n(shoal [a-z -]*[a-z])", page, re.MULTILINE)
    assert set(usages) <= set(headings)
    assert len(usages) > len(commands.ABOUT)
    assert "* `--idempotency-key STR`: the same key is the same call" in page
    assert "default: False" not in page


def test_every_command_of_the_page_is_there_and_every_one_there_is_on_it():
    named = set(re.findall(r"`shoal ([a-z]+)", PAGE))
    assert named == set(commands.ABOUT)


def test_exit_codes_are_those_that_there_are():
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE))
    assert rows == {str(code): meaning for code, meaning in exits.MEANING.items()}


def test_variables_and_settings_are_told():
    assert [name for name in VARIABLES if f"`{name}`" not in PAGE] == []
    assert [name for name in _SETTINGS if f"`{name}`" not in PAGE] == []
