"""Values with references in them, filled in: `${input.user.name}`. Pure.

A text that is one reference and nothing else becomes the value itself; within a longer text the value is written out,
text as it is and anything else as JSON. `$${` is a `${` that is meant as it stands.
"""

import re
from collections.abc import Container, Iterator, Mapping
from typing import Any

import msgspec

MAX_REFERENCES = 50
"""In one template: each may stand for as much as a whole result."""

_REFERENCE = re.compile(r"\$?\$\{([^{}]{0,200})\}")


class MissingError(Exception):
    """A reference to what is not there; the text is a sentence."""


def references(template: Any) -> Iterator[str]:
    """The inside of every reference."""
    for text in _texts(template):
        yield from (found[1] for found in _REFERENCE.finditer(text) if not found[0].startswith("$$"))


def fault(template: Any, *, names: Container[str]) -> str:
    """What is wrong with a template whose references may begin with these names; empty when nothing is."""
    found = list(references(template))
    if len(found) > MAX_REFERENCES:
        return f"has more than {MAX_REFERENCES} references"
    unknown = next((path for path in found if path.split(".")[0] not in names), None)
    return "" if unknown is None else f"refers to ${{{unknown}}}, which does not exist here"


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with the values in the place of the references. Raises MissingError."""
    if isinstance(template, dict):
        return {key: filled(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, values) for value in template]
    if not isinstance(template, str):
        return template
    whole = _REFERENCE.fullmatch(template)
    if whole is not None and not template.startswith("$$"):
        return _found(whole[1], values)
    return _REFERENCE.sub(lambda found: _written(found, values), template)


def _written(found: re.Match[str], values: Mapping[str, Any]) -> str:
    if found[0].startswith("$$"):
        return found[0][1:]
    value = _found(found[1], values)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _found(path: str, values: Mapping[str, Any]) -> Any:
    value: Any = values
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isascii() and part.isdigit() and int(part[:9]) < len(value):
            value = value[int(part[:9])]
        else:
            message = f"there is no ${{{path}}}"
            raise MissingError(message)
    return value


def _texts(template: Any) -> Iterator[str]:
    if isinstance(template, str):
        yield template
    elif isinstance(template, dict | list):
        for value in template.values() if isinstance(template, dict) else template:
            yield from _texts(value)
