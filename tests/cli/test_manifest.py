"""`shoal.toml`: what it may say, and what is told of what it may not."""

from pathlib import Path

import pytest

from cli import manifest
from cli.exits import Fault


def read(folder: Path, text: str) -> manifest.Manifest:
    (folder / "f.py").write_text("def main(params, c):\n return 1")
    (folder / "shoal.toml").write_text(text)
    return manifest.of_folder(folder)


def test_a_table_is_a_function(tmp_path: Path):
    found = read(tmp_path, 'app = "shop"\n[functions.f]\ntimeout_s = 1.5\n[functions."a b"]\nfile = "f.py"')
    assert found.app == "shop"
    assert [(one.name, one.whole, one.settings) for one in found.functions] == [
        ("f", True, {"runtime": "python", "timeout_s": 1.5}),
        ("a b", True, {"runtime": "python"}),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must have tables"),
        ("[functions]", "must have tables"),
        ("[functions.f]\n[other]", "must have tables"),
        ("app = 1\n[functions.f]", "must have tables"),
        ("functions = 1", "must have tables"),
        ("[functions]\nf = 1", "functions.f must be a table"),
        ("[functions.f]\ntimeout = 1", "has no setting 'timeout'"),
        ("[functions.f]\nmemory_mb = true", "memory_mb of functions.f is of another kind"),
        ("[functions.f]\nmemory_mb = '1'", "memory_mb of functions.f is of another kind"),
        ("[functions.f]\ntriggers = [1]", "triggers of functions.f are types"),
        ("[functions.f]\nfile = 'f.txt'", "is no function"),
        ("[functions.g]", "g.py cannot be read"),
        ("[functions", "cannot be read"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, text: str, said: str):
    with pytest.raises(Fault, match=said):
        read(tmp_path, text)


def test_a_folder_without_functions(tmp_path: Path):
    with pytest.raises(Fault, match=r"has no shoal\.toml"):
        manifest.of_folder(tmp_path)
