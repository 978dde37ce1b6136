"""What is made of the code is all there, and the hand-written pages say the same."""

import re
from typing import get_args

import msgspec
import pytest

from docsite.reference import PAGES
from shared import config
from shared.domain.invocation import TRANSITIONS
from shared.domain.problem import Code
from tests.platform import ROOT
from tests.unit.test_settings import all_settings


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_has_a_title_and_something_to_say(name: str):
    text = PAGES[name]()
    if name.endswith(".md"):
        assert re.match(r"# \S.*\n\n\S", text)
        assert "|" in text or "```" in text
    else:
        assert msgspec.json.decode(text)


def test_every_setting_is_told_with_its_kind():
    page = PAGES["reference/settings.md"]()
    assert sorted(name for name in all_settings() - config.OF_UP if f"| `{name}` |" not in page) == []


def test_every_metric_of_telemetry_is_told():
    source = "".join(path.read_text() for path in (ROOT / "shared").rglob("telemetry*.py"))
    made = set(re.findall(r'(?:Counter|Gauge|Histogram)\(\s*"(shoal_\w+)"', source))
    told = set(re.findall(r"`(shoal_\w+?)(?:_total)?`", PAGES["reference/metrics.md"]()))
    assert made
    assert {name.removesuffix("_total") for name in made} - told == set()


def test_every_code_and_every_status_is_told():
    errors, statuses = PAGES["reference/errors.md"](), PAGES["reference/statuses.md"]()
    assert [code for code in get_args(Code) if f"| `{code}` |" not in errors] == []
    assert [status for status in TRANSITIONS if f"| `{status}` |" not in statuses] == []


SAID = re.compile(r"^\| `([A-Z_]+)` \| ([\d,]+(?:\.\d+)?)(?: (KiB|MiB|GiB))? \|", re.MULTILINE)
MADE = re.compile(r"^\| `([A-Z_]+)` \| [\w ]+ \| `(-?[\d,]+(?:\.\d+)?)` \|", re.MULTILINE)
SIZES = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def test_the_settings_page_has_the_defaults_of_the_code():
    made = {name: float(value.replace(",", "")) for name, value in MADE.findall(PAGES["reference/settings.md"]())}
    said = SAID.findall((ROOT / "docs" / "settings.md").read_text("utf-8"))
    stated = {name: float(value.replace(",", "")) * SIZES[unit] for name, value, unit in said if name in made}
    assert len(stated) > len(made) // 2
    derived = {name for name, value in made.items() if value == 0}  # from the machine or from others
    assert {name: value for name, value in stated.items() if name not in derived and value != made[name]} == {}
