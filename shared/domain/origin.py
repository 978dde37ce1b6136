"""Origins of web pages, as browsers send them: scheme, host and port."""

import re

from shared.domain.problem import wrong

ANY_ORIGIN = "*"
MAX_ORIGINS = 100
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]{0,30})://([a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?")
_USUAL = {"http": ":80", "https": ":443"}
_LONGEST = 300
_LAST_PORT = 65_535


def origins_of(texts: list[str], *, field: str) -> list[str]:
    """The origins as they are compared, each once. Raises Problem(invalid)."""
    if len(texts) > MAX_ORIGINS:
        raise wrong(field, f"{field} must not have more than {MAX_ORIGINS} entries")
    return list(dict.fromkeys(_origin(text, f"{field}[{number}]") for number, text in enumerate(texts)))


def _origin(text: str, field: str) -> str:
    if text == ANY_ORIGIN:
        return text
    found = _ORIGIN.fullmatch(text.lower()) if len(text) <= _LONGEST else None
    if found is None or int((found[3] or ":0")[1:]) > _LAST_PORT:
        raise wrong(field, f"{field} must be * or an origin such as https://app.example.org, with a port if need be")
    scheme, host, port = found.groups()
    return f"{scheme}://{host}{'' if port in (None, _USUAL.get(scheme)) else port}"
