"""What any operation may answer besides what it is for: the Problems, and the headers beside a body."""

from typing import Any

from shared.domain.problem import Code

SENTENCES: dict[Code, str] = {
    "invalid": "Something that was sent is wrong: `details` says what, field by field.",
    "unauthenticated": "No token was sent, or one that is not known.",
    "forbidden": "The token or its user's role may not do this.",
    "not_found": "There is no such thing here, or not for this tenant.",
    "conflict": "It stands against what is there, or others are changing the same in this moment.",
    "too_large": "The body, or a part of it that has a limit of its own, is too large.",
    "rate_limited": "Too many requests: `retry_after` and `Retry-After` say for how many seconds.",
    "unavailable": "A part of the platform is away or full; try again after `Retry-After` seconds.",
}
MEANINGS = {
    200: "It is done.",
    201: "It is made.",
    202: "It is accepted, and not done yet.",
    204: "It is done; there is nothing more to say.",
    409: "The call was cancelled; or the idempotency key was used for another request.",
    500: "The function failed.",
    504: "The call was not started in time.",
}
_SECONDS = {"type": "integer", "minimum": 1}
_COUNT = {"type": "integer", "minimum": 0}
HEADERS: dict[str, dict[str, Any]] = {
    "X-RateLimit-Limit": {"description": "Requests a minute", "schema": _COUNT},
    "X-RateLimit-Remaining": {"description": "How many of them are left in this minute", "schema": _COUNT},
    "X-RateLimit-Reset": {"description": "When the minute ends, Unix seconds", "schema": _COUNT},
    "Retry-After": {"description": "Seconds", "required": True, "schema": _SECONDS},
    "WWW-Authenticate": {"description": "`Bearer`", "required": True, "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "`true` where an earlier request with the same key made the call",
        "schema": {"type": "string", "const": "true"},
    },
    "Allow": {"description": "The methods that the path knows", "required": True, "schema": {"type": "string"}},
}
_ALWAYS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")  # not there where there is no limit
_OF: dict[Code, str] = {
    "unauthenticated": "WWW-Authenticate",
    "rate_limited": "Retry-After",
    "unavailable": "Retry-After",
}


class Errors:
    """Their part of the description. `limited` says that there are rate limits, `error` is the schema of the body."""

    def __init__(self, *, limited: bool, error: dict[str, Any]) -> None:
        self._always = _ALWAYS if limited else ()
        self._content = {"application/json": {"schema": error}}
        self._known = [code for code in SENTENCES if limited or code != "rate_limited"]

    def headers(self, *more: str) -> dict[str, Any]:
        """The headers of an answer."""
        return {name: {"$ref": f"#/components/headers/{name}"} for name in (*self._always, *more)}

    def knows(self, code: Code) -> bool:
        """Whether this Problem can be answered at all."""
        return code in self._known

    def components(self) -> dict[str, Any]:
        """What `components` holds of them."""
        responses: dict[str, Any] = {
            code: self._response(SENTENCES[code], *([_OF[code]] if code in _OF else [])) for code in self._known
        }
        responses["method_not_allowed"] = self._response("The path does not know this method.", "Allow")
        named = (*self._always, *_OF.values(), "Allow", "Idempotent-Replayed")
        return {"responses": responses, "headers": {name: HEADERS[name] for name in HEADERS if name in named}}

    def _response(self, sentence: str, *headers: str) -> dict[str, Any]:
        response: dict[str, Any] = {"description": sentence, "content": self._content}
        if told := self.headers(*headers):
            response["headers"] = told
        return response
