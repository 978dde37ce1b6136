"""One try: the request to the webhook, on to where it redirects, and the answer as far as it is kept."""

import httpx

from services.executor.modes.proxy.request import Envelope
from services.executor.modes.proxy.response import Answer
from shared.domain.problem import Problem
from shared.domain.request import TRACE_HEADERS
from shared.domain.webhook import check_url, origin_of

_MOST_REDIRECTS = 5
# 301 and 302 too are sent on as they are: a browser makes GET of POST there, which would lose what is to be delivered.
_SAME_METHOD = frozenset({301, 302, 307, 308})
_SEE_OTHER = 303
_ALWAYS_OURS = ("Accept-Encoding", "X-Execution-ID", "Idempotency-Key", *TRACE_HEADERS)
_MOST_PARTS = 100_000  # of a body: taking a part costs as much whether it has a byte or many thousands


class RedirectRefusedError(Exception):
    """The webhook sends the request on to where it must not go, or round in circles."""


async def forward(client: httpx.AsyncClient, url: str, sent: Envelope, *, most_bytes: int) -> Answer:
    """Send, and read at most `most_bytes` of the answer's body, in a bounded number of parts.

    Raises httpx.HTTPError, httpx.InvalidURL, EgressRefused and RedirectRefusedError.
    """
    method, here = "POST", httpx.URL(url)
    home = origin_of(str(here))
    for _ in range(_MOST_REDIRECTS + 1):
        request = client.build_request(
            method,
            here,
            content=sent.body if method == "POST" else None,
            headers=_headers(sent, with_theirs=origin_of(str(here)) == home, with_body=method == "POST"),
        )
        response = await client.send(request, stream=True)
        try:
            there = _next(response, here)
            if there is None:
                return await _answer(response, most_bytes)
        finally:
            await response.aclose()
        method = "GET" if response.status_code == _SEE_OTHER else method
        here = there
    raise RedirectRefusedError(f"the webhook redirected more than {_MOST_REDIRECTS} times")


def _next(response: httpx.Response, here: httpx.URL) -> httpx.URL | None:
    """Where the response sends the request on to, if it does."""
    location = response.headers.get("location", "")
    if not location or response.status_code not in _SAME_METHOD | {_SEE_OTHER}:
        return None
    try:
        there = here.join(location)
        check_url(str(there), field="location")
    except (httpx.InvalidURL, Problem, ValueError):
        raise RedirectRefusedError("the webhook redirected to what is not an HTTP address") from None
    if here.scheme == "https" and there.scheme == "http":
        raise RedirectRefusedError("the webhook redirected from https to http")
    return there


def _headers(sent: Envelope, *, with_theirs: bool, with_body: bool) -> httpx.Headers:
    """Ours and, at the function's own origin, theirs; theirs may say another type or name."""
    headers = {name.lower(): value for name, value in sent.ours.items()}
    if with_theirs:
        headers |= {name.lower(): value for name, value in sent.theirs.items()}
        headers |= {name.lower(): sent.ours[name] for name in _ALWAYS_OURS if name in sent.ours}
    if not with_body:
        headers.pop("content-type", None)
    return httpx.Headers(headers, encoding="latin-1")


async def _answer(response: httpx.Response, most_bytes: int) -> Answer:
    parts, size = [], 0
    async for part in response.aiter_raw():
        parts.append(part)
        size += len(part)
        if size > most_bytes or len(parts) > _MOST_PARTS:
            break
    body, is_cut = b"".join(parts), size > most_bytes or len(parts) > _MOST_PARTS
    return Answer(response.status_code, response.reason_phrase, response.headers, body[:most_bytes], is_cut)
