"""Ten plugins from end to end: created over HTTP, switched on, called, with valves that change between the calls."""

import asyncio
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.store.client import Store
from tests.plugins.conftest import FILES, Made, Make, Person, events, said

KINDS = {
    "citations": "filter",
    "context_trimmer": "filter",
    "prompt_template": "filter",
    "rate_limit": "filter",
    "redact": "filter",
    "signed_request": "pipe",
    "text_models": "pipe",
    "to_checklist": "action",
    "turn_limit": "filter",
    "typewriter": "pipe",
}


def test_every_file_has_its_tests() -> None:
    assert sorted(path.stem for path in FILES.glob("*.py")) == sorted(KINDS)
    text = Path(__file__).read_text()
    assert all(f'make("{name}")' in text for name in KINDS)


@pytest.mark.parametrize("file", sorted(KINDS))
async def test_what_is_known_of_it(make: Make, file: str) -> None:
    made = await make(file)
    shown = await made.ask("GET", "")
    text = (FILES / f"{file}.py").read_text()
    assert (shown["type"], shown["content"], shown["is_active"]) == (KINDS[file], text, True)
    manifest = shown["meta"]["manifest"]
    assert manifest["author"] == "The people of the reef"
    assert all(f"{name}: {value}\n" in text for name, value in manifest.items())
    assert shown["meta"]["toggle"] is (file == "context_trimmer")
    assert await made.ask("GET", "/valves") == {}
    spec = await made.ask("GET", "/valves/spec")
    assert (spec["title"], spec["type"]) == ("Valves", "object")


async def test_one_that_is_not_active_runs_nowhere(make: Make) -> None:
    made = await make("typewriter")
    assert await made.run(said("Hi")) == "You have said: Hi"
    await made.ask("POST", "/toggle")
    await made.ask("POST", "/toggle/global")
    answer = await made.execute({"body": said("Hi")})
    assert "not active" in answer["error"]
    await made.ask("POST", "/toggle")
    assert await made.run(said("Hi")) == "You have said: Hi"


# --- Filters ----------------------------------------------------------------------------------------------------------


async def outcomes(made: Made, person: Person, *, calls: int) -> tuple[list[int], list[str]]:
    """So many messages of a user at once: the places of those that passed, and what the others were told."""
    answers = await asyncio.gather(*(made.execute({"body": said("Hi")}, via=person.client) for _ in range(calls)))
    passed = [answer["data"]["metadata"]["place"] for answer in answers if answer["status"] == "SUCCESS"]
    return sorted(passed), [answer["error"] for answer in answers if answer["status"] == "FAILURE"]


async def test_a_rate_is_counted_over_all_workers(make: Make, ada: Person, bob: Person) -> None:
    made = await make("rate_limit")
    window = 2_592_000  # so that none begins while the test runs
    await made.set(requests_per_window=5, window_seconds=window)
    passed, refused = await outcomes(made, ada, calls=16)
    assert passed == [0, 1, 2, 3, 4]
    assert len(refused) == 11
    assert all(f"Rate limit exceeded: 5 messages in {window} seconds" in told for told in refused)
    assert (await outcomes(made, bob, calls=3))[0] == [0, 1, 2], "another user has a count of his own"
    await made.set(requests_per_window=7, window_seconds=window)
    assert (await outcomes(made, ada, calls=4))[0] == [5, 6]
    await made.set(requests_per_window=1, window_seconds=window, exempt_roles=["user"])
    assert await made.run(said("Hi"), via=ada.client) == said("Hi")
    assert "Rate limit exceeded: 1 messages" not in str(await made.ask("GET", "/valves"))


async def test_turns_are_counted_and_users_lower_their_own_limit(make: Make, ada: Person, bob: Person) -> None:
    made = await make("turn_limit")
    four = said("a", "b", "c", "d")
    assert await made.run(four, via=ada.client) == four
    await made.set(max_turns=3)
    assert "has 4 turns, 3 are allowed" in await made.fails(four, via=ada.client)
    assert await made.set_own(ada, max_turns=2) == {"max_turns": 2}
    assert "has 3 turns, 2 are allowed" in await made.fails(said("a", "b", "c"), via=ada.client)
    assert await made.run(said("a", "b", "c"), via=bob.client) == said("a", "b", "c")
    await made.set_own(bob, max_turns=9)
    assert "3 are allowed" in await made.fails(four, via=bob.client), "nobody raises the limit for himself"
    assert await made.ask("GET", "/valves/user", via=ada.client) == {"max_turns": 2}
    assert await made.ask("GET", "/valves/user", via=bob.client) == {"max_turns": 9}
    answer = await made.execute({"body": said("a")}, via=ada.client)
    told = {"type": "warning", "content": "1 turns are left in this conversation"}
    assert events(answer) == [("notification", told)]
    assert (await made.post("POST", "/valves/user/update", {"max_turns": 0}, via=ada.client)).status_code == 400


MAIL = "Write to ada@example.org or to my_card 4111 1111 1111 1111, order 4111 1111 1111 1112, no. AB-1234."


async def test_what_is_personal_is_taken_out_both_ways(make: Make) -> None:
    made = await make("redact")
    clean = "Write to [EMAIL] or to my_card [CARD], order 4111 1111 1111 1112, no. AB-1234."
    assert await made.run(said(MAIL)) == said(clean)
    parts = {"role": "user", "content": [{"type": "text", "text": MAIL}, {"type": "image_url"}]}
    cleaned = await made.run({"messages": [parts]})
    assert cleaned["messages"][0]["content"] == [{"type": "text", "text": clean}, {"type": "image_url"}]
    answered = said(MAIL, by="assistant")
    assert await made.run(answered, hook="outlet") == said(clean, by="assistant")
    assert await made.run(said(MAIL, by="system")) == said(MAIL, by="system")
    await made.set(redact_cards=False, patterns={"ORDER": r"\b[A-Z]{2}-\d{4}\b"}, roles=["assistant"])
    assert await made.run(said(MAIL)) == said(MAIL)
    kept = "Write to [EMAIL] or to my_card 4111 1111 1111 1111, order 4111 1111 1111 1112, no. [ORDER]."
    assert await made.run(answered, hook="outlet") == said(kept, by="assistant")
    refused = await made.post("POST", "/valves/update", {"patterns": {"BAD": "("}})
    assert refused.status_code == 400
    assert "BAD is not a regular expression" in refused.json()["detail"]
    assert (await made.ask("GET", "/valves"))["patterns"] == {"ORDER": r"\b[A-Z]{2}-\d{4}\b"}


async def test_a_prompt_is_written_with_what_the_user_has_set(make: Make, ada: Person, bob: Person) -> None:
    made = await make("prompt_template")
    await made.set_own(ada, language="French", tone="formal", extra="Be brief.")

    async def prompt(person: Person, body: dict[str, Any]) -> str:
        first, *others = (await made.run(body, via=person.client))["messages"]
        assert first["role"] == "system"
        assert others == [message for message in body["messages"] if message["role"] != "system"]
        return str(first["content"])

    assert await prompt(ada, said("Hi")) == "You speak with ada. Answer in French, in a formal tone. Be brief."
    assert await prompt(bob, said("Hi")) == "You speak with bob. Answer in English, in a friendly tone."
    await made.set(template="{{user_email}}|{{tone}}|{{unknown}}")
    assert await prompt(ada, said("Hi")) == f"{ada.email}|formal|{{{{unknown}}}}"
    body = {"messages": [{"role": "system", "content": "House rules."}, *said("Hi")["messages"]]}
    assert await prompt(bob, body) == f"House rules.\n\n{bob.email}|friendly|{{{{unknown}}}}"
    await made.set(template="{{language}}", replace_existing=True)
    assert await prompt(ada, body) == "French"
    refused = await made.post("POST", "/valves/user/update", {"tone": "rude"}, via=ada.client)
    assert refused.status_code == 400
    spec = await made.ask("GET", "/valves/user/spec", via=ada.client)
    assert spec["properties"]["tone"]["enum"] == ["friendly", "formal", "terse"]


async def test_a_context_is_trimmed(make: Make, ada: Person) -> None:
    made = await make("context_trimmer")
    body = said("#" * 40, "a" * 40, "b" * 80, "c" * 40)

    async def left(**params: Any) -> list[str]:
        return [message["content"][0] for message in (await made.run(body, **params))["messages"]]

    assert await left() == ["#", "a", "b", "c"]
    await made.set(max_tokens=50)
    assert await left() == ["#", "b", "c"]
    await made.set(max_tokens=50, strategy="longest")
    assert await left() == ["#", "a", "c"]
    assert await left(model={"max_tokens": 1000}) == ["#", "a", "b", "c"]
    answer = await made.execute({"body": body})
    assert events(answer) == [("status", {"description": "1 messages were left out", "done": True})]
    await made.set(max_tokens=50, strategy="none")
    assert "more than 50 tokens" in await made.fails(body)


async def test_choices_that_are_made_when_they_are_asked_for(make: Make) -> None:
    made = await make("context_trimmer")
    spec = await made.ask("GET", "/valves/spec")
    field = spec["properties"]["strategy"]
    assert (field["default"], field["input"]["type"]) == ("oldest", "select")
    assert [option["value"] for option in field["input"]["options"]] == ["oldest", "longest", "none"]
    assert spec["properties"]["priority"] == {
        "default": -10,
        "description": "Before everything else, so that all see less.",
        "maximum": 100,
        "minimum": -100,
        "title": "Priority",
        "type": "integer",
    }


async def test_sources_are_cited_and_words_counted(make: Make) -> None:
    made = await make("citations")
    sources = [
        {"name": "One", "url": "https://one.example"},
        {"name": "Two", "url": "https://two.example", "text": "2"},
    ]
    body = said("Fish swim [2], birds fly [1] [2] [7].", by="assistant")
    answer = await made.execute({"hook": "outlet", "body": body, "metadata": {"sources": sources}})
    message = answer["data"]["messages"][0]
    assert message["content"] == "Fish swim [2], birds fly [1] [2] [7].\n\n---\n6 words"
    assert message["sources"] == ["https://one.example", "https://two.example"]
    cited = events(answer)
    assert [(kind, data["source"]["name"], data["metadata"][0]["number"]) for kind, data in cited] == [
        ("source", "One", 1),
        ("source", "Two", 2),
    ]
    assert cited[1][1]["document"] == ["2"]
    await made.set(footer=" ({{words}})")
    assert (await made.run(said("a b", by="assistant"), hook="outlet"))["messages"][0]["content"] == "a b (2)"
    await made.set(count_words=False)
    assert (await made.run(said("a b", by="assistant"), hook="outlet"))["messages"][0]["content"] == "a b"


async def test_what_is_streamed_passes_through_its_hook(make: Make) -> None:
    made = await make("citations")

    def event(text: str) -> dict[str, Any]:
        return {"choices": [{"delta": {"content": text}}]}

    assert await made.run(event("<think>so</think>"), hook="stream") == event("so")
    answer = await made.execute({"hook": "stream", "event": event("<think>so"), "body": {}})
    assert answer["data"] == event("so")
    await made.set(hidden_marks=["s"])
    assert await made.run(event("<think>so"), hook="stream") == event("<think>o")
    assert "inlet" in await made.fails({}, hook="inlet")


# --- Pipes ------------------------------------------------------------------------------------------------------------

TEXT = "Fish swim. Many fish swim in a shoal of fish. Birds fly. The sea is the home of fish."


async def test_two_models_in_one_pipe(make: Make) -> None:
    made = await make("text_models")

    async def answer(model: str) -> Any:
        return await made.run(said(TEXT) | {"model": f"{made.key}.{model}"})

    assert await made.run({}, hook="pipes") == [
        {"id": "summary", "name": "text/summary"},
        {"id": "keywords", "name": "text/keywords"},
    ]
    assert await answer("summary") == "Fish swim. Many fish swim in a shoal of fish."
    assert await answer("keywords") == {"fish": 4, "swim": 2, "many": 1, "shoal": 1, "birds": 1}
    await made.set(NAME_PREFIX="", MAX_SENTENCES=1, MAX_WORDS=1)
    assert [model["name"] for model in await made.run({}, hook="pipes")] == ["summary", "keywords"]
    assert await answer("summary") == "Many fish swim in a shoal of fish."
    assert await answer("keywords") == {"fish": 4}
    assert "There is no model 'poem'" in await made.fails(said(TEXT) | {"model": "poem"})


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_answer_in_pieces(make: Make, is_async: bool) -> None:
    made = await make("typewriter")
    body = said("one two") | {"stream": True}
    await made.set(is_async=is_async)
    answer = await made.execute({"body": body})
    assert answer["data"] == "You have said: one two"
    assert events(answer) == ([("status", {"description": "All said", "done": True})] if is_async else [])
    await made.set(is_async=is_async, shape="chunks", delay_seconds=0.001)
    pieces = await made.run(body)
    assert [piece["choices"][0]["delta"]["content"] for piece in pieces] == ["You", " have", " said:", " one", " two"]
    assert await made.run(said("one two")) == "You have said: one two"


async def test_a_pipe_is_called_by_its_key(make: Make, client: httpx.AsyncClient) -> None:
    made = await make("typewriter")
    answer = await client.post(f"/v1/plugins/fn/{made.key}", json={"body": said("Hi")})
    assert (answer.status_code, answer.json()) == (200, "You have said: Hi")
    answer = await client.post(f"/v1/plugins/fn/{made.key}", json=said("Hi"))
    assert (answer.status_code, answer.json()) == (200, "You have said: Hi"), "all of it is the body"


async def test_a_key_signs_and_is_not_shown(make: Make, store: Store, ada: Person) -> None:
    made = await make("signed_request")
    body = said("Hi") | {"model": "a/b"}
    assert "No key is set" in (await made.run(body))["error"]["detail"]
    secret = "s3cret-of-the-reef"
    await made.set(api_key=secret, key_id="k1")
    sent = await made.run(body, via=ada.client, metadata={"chat_id": "c-7"})
    assert sent["url"] == "https://api.example.org/v1/chat/a%2Fb"
    assert json.loads(sent["body"]) == {"messages": body["messages"], "user": ada.id}
    assert (sent["headers"]["X-Key-Id"], sent["headers"]["X-Chat-Id"]) == ("k1", "c-7")
    signed = f"/chat/a%2Fb\n{sent['body']}".encode()
    assert sent["headers"]["X-Signature"] == f"sha256={hmac.new(secret.encode(), signed, 'sha256').hexdigest()}"
    await made.set(api_key=secret, algorithm="sha512", base_url="https://other.example")
    again = await made.run(body, via=ada.client)
    assert again["headers"]["X-Signature"] == f"sha512={hmac.new(secret.encode(), signed, hashlib.sha512).hexdigest()}"
    assert (again["url"], again["headers"]["X-Key-Id"]) == ("https://other.example/chat/a%2Fb", "default")
    kept = await store.table("functions", "default").one({"plugin.key": made.key})
    assert kept is not None
    assert kept["plugin"]["valves"]
    assert secret not in str(kept)
    refused = await made.post("POST", "/valves/update", {"key_id": "NO"})
    assert refused.status_code == 400
    assert (await made.ask("GET", "/valves"))["api_key"] == secret, "nothing has changed"


# --- Actions ----------------------------------------------------------------------------------------------------------


async def test_an_action_says_how_far_it_is(make: Make, ada: Person, bob: Person) -> None:
    made = await make("to_checklist")
    body = {"messages": [{"id": "m-1", "role": "assistant", "content": "Buy fish. Feed the cat; sleep"}]}
    answer = await made.execute({"body": body}, via=ada.client)
    ticked = "- [ ] Buy fish\n- [ ] Feed the cat\n- [ ] sleep"
    assert answer["data"] == {"messages": [{"id": "m-1", "content": ticked}]}
    steps = [
        ("status", {"description": "Reading the message", "done": False, "hidden": False}),
        ("status", {"description": "3 items", "done": True, "hidden": False}),
    ]
    assert events(answer) == steps
    recorded = await _recorded(made.client, answer["invocation"]["id"])
    assert [row["data"]["data"] for row in recorded["logs"]] == [data for _, data in steps]
    await made.set_own(bob, show_status=False)
    await made.set(mark="* ", most_items=2)
    answer = await made.execute({"body": body}, via=bob.client)
    assert answer["data"]["messages"][0]["content"] == "* Buy fish\n* Feed the cat"
    assert events(answer) == [("notification", {"type": "info", "content": "1 items are left out"})]
    numbered = await made.run(body, via=bob.client, id=f"{made.key}.numbered")
    assert numbered["messages"][0]["content"] == "1. Buy fish\n2. Feed the cat"
    assert await made.run({}, hook="actions") == [
        {"id": "checklist", "name": "Checklist"},
        {"id": "numbered", "name": "Numbered list"},
    ]


async def test_nobody_is_there_to_be_asked(make: Make, ada: Person) -> None:
    made = await make("to_checklist")
    await made.set(confirm=True)
    assert "nobody is connected" in await made.fails(said("Buy fish"), via=ada.client)


async def _recorded(client: httpx.AsyncClient, number: int) -> dict[str, Any]:
    """What is on record of a call, once it is there."""
    async with asyncio.timeout(20):
        while True:
            found = (await client.get(f"/api/functions/invocations/{number}/result/")).json()["task_result"]
            if found["status"] == "SUCCESS":
                return dict(found)
            await asyncio.sleep(0.02)
