"""Nothing secret is in the log of any service, nor in the supervisor's, at the most talkative level."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from shared.bus import broker, subjects
from tests.platform import ROOT, Platform, running

MARK = "planted-7f3a91c4"
"""What every secret of this test has in it."""
QUIET = f"def handler(request, ctx):\n return [ctx.env['KEY'][:0], request.headers.get('x-api-key', '')]  # {MARK}-code"
LOUD = "def main(params, c):\n print(params)\n log(str(params), 'error', params)\n raise ValueError(str(params))"
NATIVE = "export default (request, ctx) => { console.error(ctx.env.KEY); throw new Error(ctx.env.KEY); }"
KEYED = """
from pydantic import BaseModel
class Filter:
    class Valves(BaseModel):
        api_key: str = ""
    def inlet(self, body):
        raise ValueError(self.valves.api_key)
"""


def planted(what: str) -> str:
    return f"{MARK}-{what}"


class Planting:
    """Secrets at each place that takes some, in requests that go well and in such that do not."""

    def __init__(self, platform: Platform, http: httpx.AsyncClient) -> None:
        self.platform = platform
        self.http = http
        self.secrets: set[str] = {platform.token}

    async def all(self) -> None:
        """Every one of them."""
        await self.people()
        await self.functions()
        await self.settings()
        await self.doors()

    async def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        return await self.http.post(path, json=body, **options)

    async def people(self) -> None:
        password = planted("Password-1")
        made = await self.post("/api/users/", {"username": "eve", "email": "eve@example.org", "password": password})
        assert made.status_code == 201, made.text
        for tried in (password, planted("wrong-password")):
            pair = await self.post("/api/auth/jwt/token/", {"username": "eve", "password": tried})
            self.secrets |= {text for text in pair.json().values() if isinstance(text, str) and len(text) > 40}
        token = (await self.post("/api/tokens/", {"name": "ci"})).json()
        self.secrets |= {
            text for text in token.values() if isinstance(text, str) and len(text) > 30 and "T" not in text
        }
        for wrong in ("Bearer " + planted("bearer"), "Basic " + planted("basic"), planted("nothing")):
            await self.http.get("/api/functions/", headers={"Authorization": wrong})

    async def functions(self) -> None:
        sources = {"quiet": ("python", QUIET), "loud": ("python", LOUD), "native": ("javascript", NATIVE)}
        for name, (runtime, code) in sources.items():
            body = {"name": name, "runtime": runtime, "code": code, "envVars": {"KEY": planted("env")}}
            body |= {"triggers": [{"type": "webhook", "config": {}}]} if name == "loud" else {}
            made = await self.post("/v1/shop/functions", body)
            assert made.status_code == 200, made.text
            self.secrets.add(made.json().get("webhook", {}).get("secret", planted("none")))
            url = made.json().get("webhook", {}).get("url")
            headers = {"x-api-key": planted("header"), "cookie": f"a={planted('cookie')}"}
            await self.post(f"/v1/shop/fn/{name}?token={planted('query')}", {"p": planted("body")}, headers=headers)
            if url:
                forged = {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": planted("signature")}
                at = urlsplit(url)
                async with httpx.AsyncClient(base_url=self.platform.ready["triggers"]) as world:
                    await world.post(f"{at.path}?{at.query}", content=planted("hook"), headers=forged)
        await self.post("/api/v1/functions/create", {"id": "keyed", "name": "Keyed", "content": KEYED, "meta": {}})
        await self.post("/api/v1/functions/id/keyed/valves/update", {"api_key": planted("valve")})
        await self.post("/api/v1/functions/id/keyed/valves/update", {"api_key": [planted("valve")]})
        listed = (await self.http.get("/api/functions/")).json()["results"]
        slug = next(one["slug"] for one in listed if one["name"] == "loud")
        params = {
            "params": {"password": planted("params")},
            "callback_url": f"https://{planted('user')}:x@example.org/",
        }
        await self.post(f"/api/functions/{slug}/execute/", params)
        await self.post(f"/api/functions/{slug}/execute/", {**params, "callback_url": f"https://127.0.0.1/?k={MARK}"})
        await self.post(f"/api/functions/{slug}/execute/", {"params": {"password": planted("params")}})

    async def settings(self) -> None:
        end_users = {"jwt_secret": planted("jwt-secret-that-is-long-enough-for-anybody")}
        await self.http.patch("/v1/shop/config", json={"end_users": end_users})
        await self.http.get("/v1/shop/fn/quiet", headers={"Authorization": f"Bearer {planted('jwt')}.a.b"})
        proxy = {
            "name": "Away",
            "execution_mode": "proxy",
            "webhook_url": f"http://127.0.0.1:9/{planted('path')}",
            "auth_config": {"type": "api_key", "key": planted("proxy")},
        }
        made = (await self.post("/api/apps/shop/functions/", proxy)).json()
        await self.post(f"/api/functions/{made['slug']}/execute/", {"params": {"a": planted("params")}})
        access = {"endpoint_url": "http://127.0.0.1:9", "access_key_id": "AKIA1"}
        source = {"name": "uploads", "kind": "s3_poll", "config": {"s3": access, "buckets": ["photos"]}}
        await self.post("/api/event-sources/", {**source, "secrets": {"secret_access_key": planted("s3")}})
        shown = (await self.http.get("/api/callbacks/secret/")).json()
        self.secrets |= set(re.findall(r"whsec_[A-Za-z0-9+/=]+", str(shown)))

    async def doors(self) -> None:
        """What is no message, no request, and no connection."""
        async with broker.connect(self.platform.ready["nats"], name="test", timeout_s=5) as bus:
            for subject in (subjects.invoke("default", "loud"), subjects.event("default", "loud", "finished")):
                await bus.client.publish(subject, f'{{"type": "invoke.v1", "task_id": 7, "a": "{MARK}"'.encode())
                await bus.client.publish(subject, f'{{"type": "{MARK}"}}'.encode())
            await bus.client.flush()
        await self.http.get(f"/v1/shop/nothing?token={planted('query')}")
        await self.post("/api/functions/", {"name": planted("name"), "config": {"auth": planted("config")}})


def servers_of(platform: Platform) -> list[int]:
    return [int(one["pid"]) for one in platform.ready["servers"].values()]


def words_of(url: str) -> set[str]:
    """What of an address is secret."""
    return {word for word in (urlsplit(url).password,) if word}


async def test_nothing_secret_is_in_any_log(tmp_path: Path) -> None:
    async with running(tmp_path / "data", SHOAL_LOG_LEVEL="debug") as platform, platform.client() as http:
        http.event_hooks = {}
        planting = Planting(platform, http)
        await planting.all()
        ready = platform.ready
        for service in ("executor", "recorder", "router"):
            await platform.restarted(service, platform.kill(service))
        former = set(servers_of(platform))
        for pid in former:
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            while set(servers_of(platform)) & former or (await http.get("/api/functions/")).status_code != 200:
                await asyncio.sleep(0.2)
        secrets = planting.secrets | words_of(ready["nats"]) | words_of(ready["mongodb"])
        secrets |= set((platform.data_dir / "secret.key").read_text().split())
        log = platform.log.read_text()
    log += platform.log.read_text()[len(log) :]
    assert '"action": "ready"' in log
    assert '"level": "warning"' in log, "nothing failed"
    found = [line for line in log.splitlines() if MARK in line or any(secret in line for secret in secrets)]
    assert found == []  # a token is shown at a terminal alone
    told = [json.loads(line) for line in log.splitlines()]
    assert all("action" in line for line in told)
    ups = [line for line in told if line["action"] == "up"]
    assert [line["admin_token_in"] for line in ups] == [str(platform.data_dir / "admin.token")]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHOAL_SECRET_KEY", MARK),
        ("NATS_URL", f"nats://shoal:{MARK}@127.0.0.1:9,::"),
        ("MONGODB_URL", f"mongodb://shoal:{MARK}@127.0.0.1:9/?x=["),
    ],
)
def test_a_setting_that_cannot_be_is_not_repeated(name: str, value: str) -> None:
    """A typing mistake in what is secret is no reason to tell it."""
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "SHOAL_HEALTH_PORT": "0",
        "SHOAL_LOG_LEVEL": "debug",
    }
    environ |= {"NATS_URL": "nats://127.0.0.1:9", "MONGODB_URL": "mongodb://127.0.0.1:9", name: value}
    process = subprocess.Popen(
        [sys.executable, "-m", "services.router"], env=environ, cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    with process.stderr:
        told = process.stderr.readline()  # that it ends, or after some seconds that it waits
        process.terminate()
        told += process.stderr.read()
    process.wait()
    assert told
    assert MARK not in told
