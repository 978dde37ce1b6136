"""A Shoal over HTTP, for commands that ask as anybody else does: with a token, for what that may do."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote, urlsplit

import httpx
from cyclopts import Parameter

from cli import contexts
from cli.exits import DONE, FORBIDDEN, INTERRUPTED, NOT_FOUND, REFUSED, UNAVAILABLE, Fault, refused, tell
from shared import __version__

CALL_S = 60.0
LONG_S = 3600.0
_CONNECT_S = 10.0
_PAGE = 100
_REDIRECTS = range(300, 400)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@Parameter(name="*")
@dataclass(frozen=True)
class Target:
    """Which server and app are meant, and how to answer."""

    context: Annotated[str, Parameter(help="a server by its name (SHOAL_CONTEXT; else the one in use)")] = ""
    app: Annotated[str, Parameter(help="an app by its slug or id (SHOAL_APP; else the context's, else default)")] = ""
    data_dir: Annotated[str, Parameter(help="folder of a running `shoal up` (SHOAL_DATA_DIR, default .shoal)")] = ""
    json: Annotated[bool, Parameter(negative="", help="answer in JSON, for programs")] = False


HERE = Target()


class Answer(NamedTuple):
    """What a server said, whatever it was."""

    status: int
    body: bytes
    headers: httpx.Headers

    def json(self) -> Any:
        """The body. Raises Fault for what is no JSON."""
        import json

        try:
            return json.loads(self.body)
        except ValueError:
            raise Fault(UNAVAILABLE, "the server answers with what is no JSON", "is it a Shoal?") from None


class Remote:
    """An open connection. Every method raises Fault."""

    def __init__(self, context: contexts.Context, *, app: str = "") -> None:
        self.context = context
        self.app = app or os.environ.get("SHOAL_APP") or context.app
        parts = urlsplit(context.url)
        headers = {"User-Agent": f"shoal/{__version__}", "Accept": "application/json"}
        if context.token:
            headers["Authorization"] = f"Bearer {context.token}"
        self._http = httpx.Client(
            base_url=context.url,
            headers=headers,
            timeout=httpx.Timeout(CALL_S, connect=_CONNECT_S),
            follow_redirects=False,  # a token is for the server that it was made for
            verify=parts.scheme == "https",  # to read all certificates takes as long as a call
            trust_env=parts.hostname not in _LOOPBACK,
        )

    @property
    def place(self) -> str:
        """Which server that is, and by what it was chosen."""
        return f"{self.context.url} ({self.context.source})"

    def close(self) -> None:
        """Let go of the server."""
        self._http.close()

    @property
    def deployed(self) -> str:
        """The path of the app's functions."""
        return f"/v1/{part(self.app)}/functions"

    def function(self, name: str) -> str:
        """The path of a function of the app."""
        return f"{self.deployed}/{part(name)}"

    def ask(self, method: str, path: str, *, body: Any = None, within_s: float = CALL_S, **options: Any) -> Answer:
        """Whatever is answered. `options` are `params` and `headers`; a body of bytes is sent as it is."""
        content = {"content": body} if isinstance(body, bytes) else {} if body is None else {"json": body}
        if isinstance(body, bytes):
            options["headers"] = {"Content-Type": "application/json", **options.get("headers", {})}
        timeout = httpx.Timeout(within_s, connect=_CONNECT_S)
        try:
            request = self._http.build_request(method, path, timeout=timeout, **content, **options)
        except ValueError as error:
            raise Fault(REFUSED, f"what was given cannot be sent: {error}") from None
        except httpx.InvalidURL as error:
            raise self.unheard(error) from None
        try:
            answer = self._http.send(request)
        except httpx.HTTPError as error:
            raise self.unheard(error) from None
        return Answer(answer.status_code, answer.content, answer.headers)

    def do(self, method: str, path: str, *, body: Any = None, within_s: float = CALL_S, **options: Any) -> Any:
        """The answer of a request that is to succeed; None where it has no body."""
        answer = self.ask(method, path, body=body, within_s=within_s, **options)
        self.check(answer)
        return answer.json() if answer.body else None

    def get(self, path: str, **query: Any) -> Any:
        """What is there."""
        return self.do("GET", path, params=query)

    def check(self, answer: Answer) -> None:
        """Raise what an answer that is no success means."""
        if answer.status in _REDIRECTS:
            to = answer.headers.get("location", "elsewhere")
            raise Fault(UNAVAILABLE, f"{self.context.url} leads to {to}", "is that the address of the server?")
        if answer.status >= 400:  # noqa: PLR2004 - HTTP's own bound
            raise refused(answer.status, answer.body, retry_after=answer.headers.get("retry-after", ""))

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All rows of a list, part by part."""
        offset = 0
        while True:
            found = self.get(path, limit=_PAGE, offset=offset, **query)
            yield from found["results"]
            offset += len(found["results"])
            if not found["results"] or offset >= found["count"]:
                return

    def functions(self) -> Iterator[dict[str, Any]]:
        """All functions of the app, by name, as they are listed."""
        offset = 0
        while True:
            found = self.get(self.deployed, offset=offset)
            yield from found["functions"]
            offset += len(found["functions"])
            if not found["hasMore"] or not found["functions"]:
                return

    def by_slug(self, name: str) -> str:
        """The path of a function of the app by its slug; of what is none, as system functions are, by the name."""
        try:
            slug = str(self.get(self.function(name))["slug"])
        except Fault as fault:
            if fault.code not in (NOT_FOUND, FORBIDDEN):
                raise
            slug = name
        return f"/api/functions/{part(slug)}/"

    @contextmanager
    def stream(self, path: str, *, silent_s: float, **options: Any) -> Iterator[httpx.Response]:
        """An answer that lasts; nothing for `silent_s` means that nobody is there any more."""
        timeout = httpx.Timeout(silent_s, connect=_CONNECT_S)
        headers = {"Accept": "text/event-stream", **options.pop("headers", {})}
        try:
            with self._http.stream("GET", path, timeout=timeout, headers=headers, **options) as answer:
                if answer.status_code != 200:  # noqa: PLR2004 - HTTP's own word for it
                    self.check(Answer(answer.status_code, answer.read(), answer.headers))
                yield answer
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise self.unheard(error) from None

    def unheard(self, error: Exception) -> Fault:
        """What it means that there was no answer."""
        why = str(error) or type(error).__name__
        return Fault(UNAVAILABLE, f"no answer from {self.context.url}: {why}", "does it run, and is it the address?")


def part(text: str) -> str:
    """A name as a part of a path. Raises Fault for what would lead to another one."""
    if text in ("", ".", ".."):
        raise Fault(REFUSED, f"'{text}' is no name")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise Fault(REFUSED, f"'{text}' is no name") from None


def run(target: Target, work: Callable[[Remote], int | None]) -> int:
    """Do the work on the server that is meant; the exit code. What the user has to put right is one line on stderr."""
    try:
        remote = Remote(contexts.wanted(context=target.context, data_dir=target.data_dir), app=target.app)
        try:
            return work(remote) or DONE
        finally:
            remote.close()
    except Fault as fault:
        tell(fault)
        return fault.code
    except KeyboardInterrupt:
        return INTERRUPTED
