"""What takes something away names the server or the store first, for a context in use is easily forgotten."""

from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from cli import asking, exits
from cli.opened import OpenError
from tests.api.dead import FAILING, call, letters
from tests.cli.conftest import Ask, Made
from tests.platform import Platform
from tests.terminal import SHOAL, terminal

ONE = "def main(params, c):\n return 1"


@pytest.fixture
async def in_use(ask: Ask, platform: Platform) -> dict[str, str]:
    """A context in use, with nothing else that names a server."""
    where = {"SHOAL_DATA_DIR": ""}
    said = await ask("context", "add", "prod", platform.url, "--token-stdin", typed=f"{platform.token}\n", **where)
    assert said.code == 0, said
    return where


async def test_the_context_in_use_is_named(ask: Ask, made: Made, platform: Platform, in_use: dict[str, str]):
    app = await made.app({"one": ONE, "two": ONE, "slow": "def main(params, c):\n import time\n time.sleep(60)"})
    task = (await ask("invoke", "slow", "--async", "--app", app, **in_use)).out.strip()
    await ask("env", "set", "A=1", "B=2", "--app", app, **in_use)
    for name in ("one", "two"):
        assert (await ask("schedule", "set", name, "@yearly", "--app", app, **in_use)).code == 0
    tokens = [(await ask("token", "create", name, "--json", **in_use)).json["id"] for name in ("t", "u")]
    place = f"{platform.url} (context prod)"
    for told, silent in (
        (("schedule", "remove", "one"), ("schedule", "remove", "two")),
        (("env", "unset", "A"), ("env", "unset", "B")),
        (("cancel", task), ("cancel", task)),
        (("token", "revoke", tokens[0]), ("token", "revoke", tokens[1])),
        (("delete", "one", "--yes"), ("delete", "two", "--yes")),
    ):
        on = () if told[0] in ("cancel", "token") else ("--app", app)
        said = await ask(*told, *on, **in_use)
        assert (said.code, said.errors) == (0, f"shoal: at {place}\n"), told
        said = await ask(*silent, *on, "--json", **in_use)
        assert f"at {place}" not in said.errors, silent
        assert said.out.startswith(("{", "[")), silent
    said = await ask("delete", "slow", "--app", app, **in_use)
    assert said.code == exits.UNDONE
    assert f"slow of app {app} will be gone until it is deployed again, at {place}; say --yes" in said.errors


async def test_of_dead_letters_too(
    *, ask: Ask, made: Made, client: httpx.AsyncClient, platform: Platform, in_use: dict[str, str]
):
    app = await made.app({"dies": FAILING})
    slug, store = f"dies-{app}", {"MONGODB_URL": platform.ready["mongodb"], "NATS_URL": platform.ready["nats"]}
    for number in range(6):
        await call(client, slug, n=number)
    ids = [row["id"] for row in await letters(client, slug, 6)]
    version = {"version": "2.0.0", "code": ONE, "is_active": True}
    assert (await client.post(f"/api/functions/{slug}/code/", json=version)).status_code == 201
    keys = {"SHOAL_SECRET_KEY_FILE": str(platform.data_dir / "secret.key"), "SHOAL_DATA_DIR": ""}
    hosts = urlsplit(store["MONGODB_URL"]).netloc.rpartition("@")[2]
    server, here = f"{platform.url} (context prod)", f"the store at {hosts} (MONGODB_URL)"
    folder = f"the store at {hosts} ({platform.data_dir})"
    everything = ("--all", "--function", slug)
    for argv, environ, place in (
        (("remove", ids[0]), in_use, server),
        (("remove", ids[1]), {**in_use, **store}, here),
        (("redrive", ids[2]), in_use, server),
        (("redrive", ids[3], "--data-dir", platform.data_dir), in_use, folder),
        (("redrive", ids[4], "--params", "{}"), {**keys, **store}, here),
    ):
        said = await ask("dead", *argv, **environ)
        assert (said.code, said.errors) == (0, f"shoal: at {place}\n"), argv
    for environ, place in ((in_use, server), ({**in_use, **store}, here)):
        said = await ask("dead", "remove", *everything, **environ)
        assert f"1 dead letters of {slug} will be lost, at {place}; say --yes" in said.errors
    said = await ask("dead", "remove", *everything, "--yes", **in_use)
    assert (said.out, said.errors) == ("1 removed\n", f"shoal: at {server}\n")
    said = await ask("dead", "redrive", *everything, **keys, **store)
    assert (said.out, said.errors) == ("0 redriven\n", f"shoal: at {here}\n")


async def test_the_store_of_a_tenant_is_named_without_its_password(ask: Ask, platform: Platform):
    parts = urlsplit(platform.ready["mongodb"])
    hosts = parts.netloc.rpartition("@")[2]
    assert parts.password
    assert (await ask("tenant", "create", "placed")).code == 0
    said = await ask("tenant", "delete", "placed")
    assert said.errors == (
        f"shoal: Everything that placed has will be lost, at the store at {hosts} ({platform.data_dir});"
        " say --yes if that is what you want\n"
    )
    said = await ask("tenant", "delete", "placed", "--yes")
    assert said.errors == f"shoal: at the store at {hosts} ({platform.data_dir})\n"


async def test_who_is_asked_reads_the_place(platform: Platform, made: Made, tmp_path: Path):
    app = await made.app({"one": ONE})
    async with terminal(tmp_path, SHOAL_URL=platform.url, SHOAL_TOKEN=platform.token) as tty:
        await tty.type(f"clear; {SHOAL} delete one --app {app}; echo ended $?")
        found = await tty.shows(r"(?s)^one of app .*Type one to go on:")
        assert f"at {platform.url} (SHOAL_URL)" in found[0].replace("\n", "")
        await tty.type("no")
        await tty.shows(r"^shoal: nothing was changed\nended 1$")


def test_a_place_does_not_drive_the_terminal(capsys: pytest.CaptureFixture[str]):
    asking.tell_place("https://one (\x1b[31m)", as_json=False)
    assert capsys.readouterr().err == "shoal: at https://one (\\x1b[31m)\n"
    with pytest.raises(OpenError, match=r"at https://one \(\\x1b\)"):
        asking.sure("It will be lost", "it", place="https://one (\x1b)", yes=False, as_json=False)
