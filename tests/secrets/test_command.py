"""`shoal secrets`: what the operator sees, and what becomes of the file of keys."""

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from cli import keys
from cli.opened import OpenError
from shared.secrets import Keyring
from shared.store.client import Store
from tests.people import shoal
from tests.secrets.conftest import DATABASE, Database
from tests.secrets.sealing import app_of, function_of, opened, valves_of

OLD_KEY, NEW_KEY, LOST_KEY = b"o" * 32, b"n" * 32, b"l" * 32
OLD, NEW, LOST = Keyring([OLD_KEY]), Keyring([NEW_KEY]), Keyring([LOST_KEY])


async def command(database: Database, *argv: str, **environ: str) -> tuple[int, str, str]:
    return await shoal(
        "secrets", *argv, MONGODB_URL=database.url, SHOAL_MONGODB_DATABASE=DATABASE, **environ
    )  # fmt: skip


async def test_rotating(database: Database, store: Store, tmp_path: Path):
    app = await app_of(store, OLD, "shop")
    await function_of(store, OLD, app, "one")
    await valves_of(store, OLD, app, "redactor", users=[1, 2])
    before = await opened(store, OLD)
    file = tmp_path / "keys"
    file.write_text(f"{OLD_KEY.hex()}\n")
    places = {"SHOAL_SECRET_KEY_FILE": str(file)}
    code, out, errors = await command(database, "status", "--json", **places)
    assert (code, errors) == (0, "")
    assert {row["sealed"]: row[f"{OLD.first} (first)"] for row in json.loads(out)} == {
        "functions.auth_config": 1,
        "functions.env": 1,
        "functions.triggers": 1,
        "apps.env": 2,
        "apps.end_users": 1,
        "event_sources.secrets": 0,
        "functions.plugin.valves": 1,
        "user_valves.valves": 2,
        "callback_secrets.sealed": 0,
    }
    code, out, errors = await command(database, "new-key", **places)
    assert (code, errors) == (0, "")
    assert "has 2 keys" in out
    first, second = file.read_text().split()
    assert second == OLD_KEY.hex()
    code, out, errors = await command(database, "rotate", **places)
    assert (code, errors) == (0, "")
    assert "functions.env" in out
    assert first not in out
    assert await opened(store, Keyring([bytes.fromhex(first)])) == before


async def test_what_is_lost_is_an_exit_code(database: Database, store: Store):
    app = await app_of(store, LOST, "shop")
    both = f"{NEW_KEY.hex()},{OLD_KEY.hex()}"
    code, out, errors = await command(database, "status", SHOAL_SECRET_KEY=both)
    assert (code, errors) == (1, "shoal: 3 texts are sealed by keys that are not at hand\n")
    assert f"{LOST.first} (missing)" in out
    code, out, errors = await command(database, "rotate", SHOAL_SECRET_KEY=both)
    assert code == 1
    assert len(errors.splitlines()) == 3
    assert f"shoal: apps {app.id} of acme: env cannot be opened: sealed by the key {LOST.first}" in errors


@pytest.mark.parametrize(
    ("environ", "error"),
    [
        ({"SHOAL_SECRET_KEY": "abc"}, "SHOAL_SECRET_KEY: each key must be 64 hexadecimal digits"),
        ({"SHOAL_SECRET_KEY_FILE": "/none"}, "SHOAL_SECRET_KEY_FILE: /none cannot be read"),
        ({"SHOAL_DATA_DIR": "/none"}, "there are no keys: set SHOAL_SECRET_KEY"),
    ],
)
async def test_without_keys(database: Database, environ: dict[str, str], error: str):
    code, _, errors = await command(database, "rotate", **environ)
    assert code == 1
    assert errors.startswith(f"shoal: {error}")


async def test_a_new_key_is_printed_where_there_is_no_file(tmp_path: Path):
    for argv, environ in (
        ([], {"SHOAL_DATA_DIR": str(tmp_path)}),
        ([], {"SHOAL_SECRET_KEY": "x"}),
        (["--print"], {"SHOAL_SECRET_KEY_FILE": "/none"}),
    ):
        code, out, errors = await shoal("secrets", "new-key", *argv, **environ)
        assert (code, errors) == (0, "")
        assert len(bytes.fromhex(out.strip())) == 32


async def test_many_new_keys_at_once(tmp_path: Path):
    file = tmp_path / "keys"
    file.write_text(OLD_KEY.hex())  # without the end of the line
    file.chmod(0o644)
    made = [keys.new_key() for _ in range(20)]
    await asyncio.gather(*(asyncio.to_thread(keys.prepend, file, key) for key in made))
    left = [path.name for path in file.parent.iterdir()]
    *others, last = file.read_text().splitlines()
    assert (sorted(others), last) == (sorted(made), OLD_KEY.hex())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert left == ["keys"]


def refused(path: Path) -> str:
    with pytest.raises(OpenError) as raised:
        keys.prepend(path, NEW_KEY.hex())
    return str(raised.value)


def test_a_file_that_holds_no_keys_is_left(tmp_path: Path):
    file = tmp_path / "keys"
    assert "cannot be changed" in refused(file)
    for text in ("", "not a key\n"):
        file.write_text(text)
        assert "64 hexadecimal digits" in refused(file)
        assert file.read_text() == text


async def test_a_running_shoal(platform: Any):
    """The keys are those of its data folder."""
    code, out, errors = await shoal("secrets", "status", "--json", data_dir=platform.data_dir)
    assert (code, errors) == (0, "")
    name = Keyring([bytes.fromhex((platform.data_dir / "secret.key").read_text().strip())]).first
    assert all(f"{name} (first)" in row for row in json.loads(out))
