"""What a handler knows of its call beside the request, and what it may ask of the platform."""

from typing import Any

from services.executor.modes.python.asking import Ask
from services.executor.modes.python.frames import ClaimFrame, InvokeFrame, NeedFrame, PublishFrame
from services.executor.modes.python.heads import check_claim, check_invoke, check_publish
from services.executor.modes.python.json_text import NotJsonError, json_text
from services.executor.modes.python.response import Response, encoded_body, lines_of, received

_DAY_S = 86_400


class Idempotency:
    """Remembers what has been done, beyond the call."""

    __slots__ = ("_ask",)

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def __repr__(self) -> str:
        return "<Idempotency>"

    def claim(self, key: str, scope: str = "default", ttl_seconds: float = _DAY_S) -> bool:
        """Whether this is the first claim of the key in its scope, for as long as it is kept."""
        if type(key) is not str or type(scope) is not str:
            raise TypeError("key and scope of a claim are strings")
        if type(ttl_seconds) not in (int, float):
            raise TypeError("ttl_seconds is a number")
        # Compared before it is a float: a whole number may be too large for one.
        check_claim(key, scope, ttl_s=ttl_seconds)
        return self._ask(ClaimFrame(self._ask.nonce, key, scope, float(ttl_seconds))).first


class Ctx:
    """The second argument of a handler."""

    __slots__ = ("_ask", "_env", "_facts", "idempotency")

    def __init__(self, ask: Ask, facts: dict[str, Any]) -> None:
        self._ask = ask
        self._facts = facts
        self._env: dict[str, str] | None = None
        self.idempotency = Idempotency(ask)

    def __repr__(self) -> str:
        return "<Ctx>"

    @property
    def env(self) -> dict[str, str]:
        """The function's variables, asked for when they are looked at first."""
        if self._env is None:
            self._env = self._ask(NeedFrame(self._ask.nonce, "env")).env
        return self._env

    @property
    def user(self) -> Any:
        """The end user with the claims of his token, or None."""
        return self._facts["user"]

    @property
    def caller(self) -> Any:
        """Who makes the request: type, key_id, user_id."""
        return self._facts["caller"]

    @property
    def app(self) -> Any:
        """Its app: id and name."""
        return self._facts["app"]

    @property
    def request(self) -> Any:
        """The call: id, ip of the caller, function_name."""
        return self._facts["request"]

    def invoke(self, name: str, body: Any = None, method: str = "POST", headers: Any = None) -> Response:
        """Call another function of the app and wait for its answer. Raises RuntimeError when it fails."""
        if type(name) is not str or type(method) is not str:
            raise TypeError("name and method are strings")
        check_invoke(name, method)
        encoded, content_type = encoded_body(body)
        if len(encoded) > self._ask.most_bytes:
            raise ValueError(f"the body has {len(encoded)} bytes, over the limit of {self._ask.most_bytes} bytes")
        lines = lines_of(headers, content_type)
        answer = self._ask(InvokeFrame(self._ask.nonce, name, method, lines, encoded))
        return received(answer.status, answer.headers, answer.body)

    def publish(self, channel: str, payload: Any, event: Any = None) -> None:
        """Push a value to all who listen on a channel of the app, now. Raises TypeError, ValueError, RuntimeError."""
        if type(channel) is not str or not (event is None or type(event) is str):
            raise TypeError("channel and event are strings")
        try:
            encoded = json_text(payload)
        except NotJsonError as error:
            raise TypeError(f"the payload is not JSON serializable: {error}") from None
        check_publish(channel, event or "", encoded)
        self._ask(PublishFrame(self._ask.nonce, channel, event or "", encoded))
