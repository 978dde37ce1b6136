"""An OpenAPI description as a page: operations by noun, then the bodies with their fields."""

from collections.abc import Iterator, Mapping
from typing import Any

from docsite.reference import openapi
from docsite.reference.tables import code, page, table

_TITLES = {
    "rest": ("The HTTP API: `/api/`", "openapi.json", "What a running Shoal tells of itself at `/api/schema/`"),
    "apps": ("The HTTP API: `/v1/{app_id}/`", "openapi-apps.json", "The dialect of [functions by name](../apps.md); "
             "[calls of functions](../calling.md) themselves have whatever method, path and body their handlers want"),
    "plugins": ("The HTTP API: plugins", "openapi-plugins.json", "The dialect of [plugins](../plugins-api.md)"),
}  # fmt: skip


def made(name: str) -> str:
    """The page of a dialect."""
    title, file, about = _TITLES[name]
    whole = openapi.document(name)
    by_tag: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for path, methods in whole["paths"].items():
        for method, told in methods.items():
            by_tag.setdefault(told["tags"][0], []).append((method.upper(), path, told))
    parts = [part for tag, found in sorted(by_tag.items()) for part in _section(tag, found, whole)]
    bodies = [part for body, schema in sorted(whole["components"]["schemas"].items()) for part in _body(body, schema)]
    about = f"{about}. Made of the code; for programs, the same as [OpenAPI 3.1]({file})."
    return page(title, about, *parts, "## Bodies\n", *bodies)


def _section(tag: str, found: list[tuple[str, str, Mapping[str, Any]]], whole: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {tag.replace('_', ' ').capitalize()}\n"
    for method, path, told in found:
        yield f"### `{method} {path}`\n"
        yield f"{told['summary']}. {told.get('description', '')}\n"
        if told["parameters"]:
            rows = [
                (code(one["name"]), one["in"], _kind(one["schema"]), one.get("description", ""))
                for one in told["parameters"]
            ]
            yield table(("parameter", "in", "kind", ""), rows)
        if body := told.get("requestBody"):
            yield f"Body: {_content(body['content'])}\n"
        answers = [(status, *_answer(answer, whole)) for status, answer in told["responses"].items()]
        yield table(("status", "body", "means"), answers)


def _answer(answer: Mapping[str, Any], whole: Mapping[str, Any]) -> tuple[str, str]:
    if "$ref" in answer:
        answer = whole["components"]["responses"][answer["$ref"].rpartition("/")[2]]
    return _content(answer.get("content", {})), answer["description"]


def _content(content: Mapping[str, Any]) -> str:
    kinds = [
        _kind(told["schema"]) + ("" if media == "application/json" else f" ({media})")
        for media, told in content.items()
    ]
    return ", ".join(kinds)


def _body(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{schema.get('description', '')}\n"
    required = set(schema.get("required", []))
    rows = [
        (code(field), _kind(told), "yes" if field in required else "", told.get("description", ""))
        for field, told in schema.get("properties", {}).items()
    ]
    if rows:
        yield table(("field", "kind", "required", ""), rows)


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_kind(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    told = schema.get("type", "any")
    return " or ".join(told) if isinstance(told, list) else str(told)
