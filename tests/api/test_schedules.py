"""Schedules over HTTP: what is taken, what is refused and why, and what is shown."""

import httpx
import pytest

from tests.api.conftest import is_stamp, sentence
from tests.conftest import Deploy

HOURLY = {"schedule_enabled": True, "cron_expression": "@hourly"}


async def made(client: httpx.AsyncClient, name: str, **fields: object) -> str:
    answer = await client.post("/api/apps/clock/functions/", json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["slug"])


@pytest.mark.parametrize(
    ("fields", "named", "said"),
    [
        ({"schedule_enabled": True}, "cron_expression", "is required"),
        ({"schedule_enabled": True, "cron_expression": ""}, "cron_expression", "is required"),
        ({"cron_expression": "* * * *"}, "cron_expression", "five fields"),
        ({"schedule_enabled": True, "cron_expression": "0 0 31 2 *"}, "cron_expression", "never comes due"),
        ({"schedule_enabled": True, "cron_expression": "*/90 * * * *"}, "cron_expression", "step"),
        ({**HOURLY, "schedule_timezone": "Mars/Olympus"}, "schedule_timezone", "IANA"),
        ({**HOURLY, "schedule_missed_runs": "all"}, "schedule_missed_runs", "Invalid enum value"),
        ({**HOURLY, "schedule_overlap": "queue"}, "schedule_overlap", "Invalid enum value"),
    ],
)
async def test_a_bad_schedule_is_refused_on_creation_and_on_change(
    client: httpx.AsyncClient, fields: dict[str, object], named: str, said: str
) -> None:
    created = await client.post("/api/apps/clock/functions/", json={"name": "Never", **fields})
    slug = await made(client, "Unscheduled")
    for answer in (created, await client.patch(f"/api/functions/{slug}/", json=fields)):
        assert said in sentence(answer, 400)
        assert list(answer.json()["details"]) == [named]


async def test_a_part_of_a_schedule_is_checked_with_the_rest(client: httpx.AsyncClient) -> None:
    slug = await made(client, "Partly", **HOURLY)
    for part, named in (
        ({"cron_expression": ""}, "cron_expression"),
        ({"cron_expression": "nonsense"}, "cron_expression"),
        ({"schedule_timezone": "Nowhere"}, "schedule_timezone"),
    ):
        answer = await client.patch(f"/api/functions/{slug}/", json=part)
        sentence(answer, 400)
        assert list(answer.json()["details"]) == [named]
    assert (await client.patch(f"/api/functions/{slug}/", json={"schedule_enabled": False})).status_code == 200
    assert (await client.patch(f"/api/functions/{slug}/", json={"cron_expression": ""})).status_code == 200
    sentence(await client.patch(f"/api/functions/{slug}/", json={"schedule_enabled": True}), 400)
    again = await client.patch(f"/api/functions/{slug}/", json={"description": "what has no schedule may change"})
    assert again.status_code == 200


async def test_all_settings_are_kept_and_shown(client: httpx.AsyncClient) -> None:
    fields = {
        "schedule_enabled": True, "cron_expression": "30 9 * * MON-FRI", "schedule_timezone": "America/New_York",
        "schedule_missed_runs": "skip", "schedule_overlap": "skip", "schedule_params": {"a": [1]},
    }  # fmt: skip
    slug = await made(client, "All Settings", **fields)
    shown = (await client.get(f"/api/functions/{slug}/")).json()
    assert {name: shown[name] for name in fields} == fields


async def test_the_schedule_is_shown_at_every_path(client: httpx.AsyncClient) -> None:
    slug = await made(client, "Watched", schedule_timezone="Asia/Kolkata", **HOURLY)
    answers = [
        await client.get(f"{path}{slash}")
        for path in (f"/api/functions/{slug}/schedule", f"/api/apps/clock/functions/{slug}/schedule")
        for slash in ("", "/")
    ]
    assert {answer.status_code for answer in answers} == {200}
    shown = answers[0].json()
    assert list(shown) == [
        "enabled", "cron_expression", "timezone", "missed_runs", "overlap", "next_runs", "last_ticks",
    ]  # fmt: skip
    assert (shown["enabled"], shown["cron_expression"], shown["timezone"]) == (True, "@hourly", "Asia/Kolkata")
    assert len(shown["next_runs"]) == 5
    assert all(is_stamp(moment) and moment.endswith(":30:00Z") for moment in shown["next_runs"])  # UTC + 5:30
    assert shown["next_runs"] == sorted(shown["next_runs"])


async def test_a_function_without_a_schedule_shows_an_empty_one(client: httpx.AsyncClient, deploy: Deploy) -> None:
    slug = await deploy()
    shown = (await client.get(f"/api/functions/{slug}/schedule/")).json()
    assert (shown["enabled"], shown["next_runs"], shown["last_ticks"]) == (False, [], [])


async def test_the_schedule_of_nobody_and_of_strangers_is_not_found(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    slug = await made(client, "Private", **HOURLY)
    sentence(await client.get("/api/functions/no-such-function/schedule/"), 404)
    sentence(await stranger.get(f"/api/functions/{slug}/schedule/"), 404)
    sentence(await client.get(f"/api/apps/other/functions/{slug}/schedule/"), 404)
