"""Many lines to many followers: each is told, or named, and the API keeps no more than it may."""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from bench.line_followers import Followed
from tests.platform import ROOT, running

FUNCTIONS, FOLLOWERS, SLOW = 5, 10, 2
GROWN_MB = 64  # of 10 followers with 1 MiB each, and of what the bus may have waiting: 16 MiB


@pytest.mark.parametrize(("rate", "follower_bytes"), [(5000, 1 << 20), (20_000, 1 << 16)])
async def test_no_line_is_lost_silently(tmp_path: Path, rate: int, follower_bytes: int) -> None:
    """Two of the followers read slowly. `make bench` has the full number."""
    async with running(tmp_path / "data", SHOAL_API_FOLLOWER_BYTES=str(follower_bytes)) as platform:
        async with platform.client() as http:
            functions: list[str] = []
            for number in range(FUNCTIONS):
                body = {"name": f"Loud {number}", "execution_mode": "app"}
                made = (await http.post("/api/apps/bench/functions/", json=body)).json()
                functions += ["--function", f"{made['slug']}={made['id']}"]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.line_followers", "--url", platform.url, "--token", platform.token),
            *("--nats", platform.ready["nats"], "--pid", str(platform.pid("api")), "--followers", str(FOLLOWERS)),
            *("--slow", str(SLOW), "--rate", str(rate), "--seconds", "3", *functions),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
    assert process.returncode == 0
    seen = msgspec.json.decode(out, type=Followed)
    assert (seen.unnamed, seen.wrong, seen.missing_ends) == (0, 0, 0), seen
    assert seen.told + sum(seen.named.values()) == seen.offered * FOLLOWERS // FUNCTIONS
    assert seen.rss_most_mb - seen.rss_before_mb < GROWN_MB, seen
