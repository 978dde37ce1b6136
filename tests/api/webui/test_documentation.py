"""What the documentation prints is run as it is printed, by a shell: each command is answered well."""

import asyncio
import json
import os
import re
from typing import Any

from shared.store.client import Store
from tests import people
from tests.platform import ROOT, Platform

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
# Stops at what is refused, and ends each answer with a line of its own.
CURL = "curl() { command curl --silent --show-error --fail-with-body --write-out '\\n' \"$@\"; }\nset -eo pipefail\n"
LONGEST_S = 60.0


async def printed(platform: Platform, store: Store, document: str, *, tenant: str) -> list[Any]:
    """What the commands of the document's block about plugins answer, which are JSON."""
    [block] = [text for text in BLOCK.findall((ROOT / document).read_text()) if "/api/functions/create" in text]
    account = await people.account(store, "reader", tenant=tenant, role="admin")
    environ = {**os.environ, "API": platform.url, "TOKEN": await people.token_for(store, account)}
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", CURL + block, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), LONGEST_S)
    assert process.returncode == 0, (out[-1000:], errors)
    return [json.loads(line) for line in out.decode().splitlines() if line]


async def test_the_readme(platform: Platform, store: Store):
    created, _, toggled, executed = await printed(platform, store, "README.md", tenant="reader-of-readme")
    assert (created["is_active"], toggled["is_active"]) == (False, True)
    assert executed["result"]["result"] == {"text": "a *** word"}


async def test_plugins_over_http(platform: Platform, store: Store):
    answers = await printed(platform, store, "docs/plugins-api.md", tenant="reader-of-docs")
    assert answers[0]["meta"]["manifest"] == {"title": "Mark words", "author": "Ada", "version": "1.0"}
    assert answers[5]["result"]["result"] == {"text": "a *cat"}
    assert answers[-1] is True
