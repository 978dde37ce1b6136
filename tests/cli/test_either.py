"""Commands for both: when they work on the store, and when over HTTP."""

from pathlib import Path

import pytest

from cli import contexts, exits
from cli.either import Either, over_http
from cli.remote import Remote

SERVER = {"SHOAL_URL": "https://shoal.example.org", "SHOAL_TOKEN": "t"}


@pytest.mark.parametrize(
    ("where", "environ", "in_use", "url"),
    [
        (Either(), {}, False, ""),
        (Either(), {}, True, "https://one"),
        (Either(context="one"), {"MONGODB_URL": "x"}, False, "https://one"),
        (Either(context="one"), SERVER, False, "https://one"),
        (Either(data_dir="/folder"), SERVER, True, ""),
        (Either(), SERVER | {"MONGODB_URL": "x"}, True, "https://shoal.example.org"),
        (Either(), {"SHOAL_CONTEXT": "one"}, False, "https://one"),
        (Either(), {"MONGODB_URL": "x"}, True, ""),
        (Either(), {"SHOAL_DATA_DIR": "/folder"}, True, ""),
    ],
)
def test_who_is_meant(
    *, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: Either, environ: dict[str, str], in_use: bool, url: str
):
    for name in (*contexts.VARIABLES, "MONGODB_URL", "SHOAL_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SHOAL_CONFIG", str(tmp_path / "contexts.toml"))
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    one = contexts.Context("https://one", "t", "default", "one")
    contexts.write(contexts.Contexts({"one": one}, "one" if in_use else ""))
    asked: list[str] = []

    def work(remote: Remote) -> None:
        asked.append(remote.context.url)

    assert over_http(where, work) == (exits.DONE if url else None)
    assert asked == ([url] if url else [])
