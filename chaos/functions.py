"""The functions that are called, and how they come to be: before anything is killed."""

from typing import Any

import msgspec

from chaos.http import Client

APP = "chaos"
PYTHON, SCRIPT, PROXY, ONCE, TICK, HOOK, CHILD = "sum", "script", "proxy", "once", "tick", "hook", "child"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # a published example
SCHEDULES = 20
TICKING = -100
"""Runs of the schedule `n` have this number, less `n`."""

_SUM = (
    "def main(params):\n total = 0\n for n in range(params.get('steps', 10)):\n  total += n\n"
    " return {'number': params['number'], 'total': total}"
)
_SCRIPT = (
    "export default async function handler(request) {\n const { number } = await request.json();\n"
    " return Response.json({ number });\n}"
)
_HOOK = (
    "def handler(request, ctx):\n body = request.json()\n if body.get('invoke'):\n"
    f"  ctx.invoke('{CHILD}', {{'number': -body['number'] - 1000}})\n return {{'number': body['number']}}"
)
_CHILD = "def handler(request, ctx):\n return {'number': request.json()['number']}"


class Deployed(msgspec.Struct, kw_only=True):
    """`slugs` by the names above; `hook` is the path of the webhook, `ticking` the ids of the scheduled functions."""

    slugs: dict[str, str]
    hook: str
    ticking: dict[int, int]


class Deploying:
    """Deploys through one API."""

    def __init__(self, api: str, token: str) -> None:
        self._client = Client()
        self._api = api
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def all(self, *, proxied: str) -> Deployed:
        """Every function; PROXY functions have their endpoint at `proxied`. Raises RuntimeError."""
        try:
            once = {"timeout": 20, "delivery": "at_most_once"}
            slugs = {
                PYTHON: await self._coded("Sum", _SUM, environment="python"),
                SCRIPT: await self._coded("Script", _SCRIPT, environment="javascript"),
                PROXY: await self._proxy("Proxy", proxied, {"timeout": 20, "max_retries": 5}),
                ONCE: await self._proxy("Once", proxied, once),
            }
            ticking = {}
            for number in range(SCHEDULES):
                slug = await self._coded(f"Tick {number}", _SUM, environment="python")
                slugs[f"{TICK}-{number}"] = slug
            await self._handler(CHILD, _CHILD)
            hook = await self._handler(HOOK, _HOOK, {"type": "webhook", "config": {"secret": SECRET}})
            url = str(hook["webhook"]["url"])
            return Deployed(slugs=slugs, hook=url[url.index("/v1/") :].partition("?")[0], ticking=ticking)
        finally:
            self._client.close()

    async def tick(self, deployed: Deployed, *, on: bool) -> None:
        """Switch the schedules on or off."""
        for number in range(SCHEDULES):
            slug = deployed.slugs[f"{TICK}-{number}"]
            fields: dict[str, Any] = {"schedule_enabled": on}
            if on:
                fields |= {"cron_expression": "* * * * *", "schedule_params": {"number": TICKING - number}}
            shown = await self._ask("PATCH", f"/api/functions/{slug}/", fields)
            deployed.ticking[number] = int(shown["id"])
        self._client.close()

    async def _coded(self, name: str, code: str, **fields: Any) -> str:
        made = await self._ask("POST", f"/api/apps/{APP}/functions/", {"name": name, "execution_mode": "app", **fields})
        version = {"version": "1.0.0", "code": code, "is_active": True}
        await self._ask("POST", f"/api/functions/{made['slug']}/code/", version)
        return str(made["slug"])

    async def _proxy(self, name: str, url: str, config: dict[str, Any]) -> str:
        fields = {"name": name, "execution_mode": "proxy", "webhook_url": url, "config": config}
        return str((await self._ask("POST", f"/api/apps/{APP}/functions/", fields))["slug"])

    async def _handler(self, name: str, code: str, *triggers: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {"name": name, "code": code, "runtime": "python"}
        if triggers:
            body["triggers"] = list(triggers)
        return await self._ask("POST", f"/v1/{APP}/functions", body)

    async def _ask(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._client.ask(method, self._api + path, body=msgspec.json.encode(body), headers=self._headers)
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path} answered {answer.status} {answer.body[:300].decode(errors='replace')}")
        return dict(msgspec.json.decode(answer.body))
