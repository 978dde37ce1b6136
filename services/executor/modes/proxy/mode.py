"""The PROXY mode: a call is one POST to the function's webhook, its answer the result."""

import asyncio
import time
from typing import Any, NamedTuple

import httpx
import msgspec

from services.executor.mode import Again, Artefact, Call, Crowded, Opening, Refusal
from services.executor.modes.proxy.doubts import Doubts
from services.executor.modes.proxy.forwarding import RedirectRefusedError, forward
from services.executor.modes.proxy.request import Envelope, envelope
from services.executor.modes.proxy.response import Answer, result_of, sentence_of
from services.executor.spans import tell_posted
from shared import egress, tracing
from shared.domain.function import Function
from shared.domain.outcome import Outcome, failure
from shared.domain.retry import asked_s, is_passing
from shared.domain.version import CompileError
from shared.egress import EgressRefused
from shared.secrets import Keyring, SealBrokenError

_ERROR = 400  # statuses from here on
_MOST_SAID = 500  # characters of what the other side did wrong


class Tried(NamedTuple):
    """What became of a try. `reached` None: it does not say. `passes`: another try may end better.

    `status` is what the webhook answered, 0 where it has not.
    """

    outcome: Outcome
    reached: bool | None = None
    passes: bool = False
    asked_s: float = 0.0
    status: int = 0


class ProxyMode:
    """Implements services.executor.mode.Mode. Starts nothing but requests."""

    name = "proxy"
    runs_code = False
    examines = False
    judges = True
    compiler = ""

    def __init__(self, client: httpx.AsyncClient, keyring: Keyring, *, slots: int, share: float, trial: int) -> None:
        self.slots = slots
        self.share = share
        self._client = client
        self._keyring = keyring
        self._doubts = Doubts(trial=trial)

    async def prepare(self, source: str) -> Artefact | Refusal:
        """There is no code."""
        return Refusal([CompileError(0, "a PROXY function runs no code")])

    async def run(self, call: Call) -> Outcome | Again:
        """One try, within the call's time. Raises Crowded where the endpoint is in doubt."""
        function = call.function
        if function is None:
            raise ValueError("a call of the proxy mode comes with its function")
        endpoint = _endpoint(function)
        if not self._doubts.enter(endpoint):
            raise Crowded(endpoint)
        reached = None
        try:
            with tracing.span("POST", kind="client") as span:
                tried = await self._try(call, function)
                tell_posted(span, tried.status, error_type=tried.outcome.error_type)
            reached = tried.reached
        finally:
            self._doubts.leave(endpoint, reached=reached)
        if not tried.passes:
            return tried.outcome
        return Again(tried.outcome, tried.asked_s)

    def facts(self) -> dict[str, Any]:
        """Endpoints that nobody has reached of late."""
        return {"endpoints_in_doubt": len(self._doubts)}

    async def close(self) -> None:
        """Close every connection; requests that are under way fail."""
        await self._client.aclose()

    async def _try(self, call: Call, function: Function) -> Tried:
        try:
            sent = envelope(call, function, self._keyring, trace=tracing.passed_on())
        except SealBrokenError:
            return Tried(
                failure("SecretUnreadable", "auth_config cannot be opened with the operator's key; set it anew")
            )
        most_bytes = call.limits.result_bytes
        try:
            async with asyncio.timeout(call.limits.timeout_s):
                answer = await forward(self._client, function.webhook_url, sent, most_bytes=most_bytes)
        except (TimeoutError, httpx.TimeoutException) as error:
            return Tried(_late(error, call.limits.timeout_s), reached=False, passes=True)
        except EgressRefused as error:
            return Tried(failure("EgressRefused", str(error)))
        except RedirectRefusedError as error:
            return Tried(failure("RedirectRefused", str(error)), reached=True)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return Tried(failure("InvalidURL", "webhook_url is not an address that can be sent to"))
        except httpx.HTTPError as error:
            return Tried(failure(_name(error), str(error)[:_MOST_SAID]), reached=False, passes=True)
        return _judged(answer, sent, most_bytes=most_bytes)._replace(status=answer.status)


def _judged(answer: Answer, sent: Envelope, *, most_bytes: int) -> Tried:
    made = result_of(answer, most_bytes=most_bytes, hidden=sent.hidden)
    if made.json is None:
        too_large = failure("ResultTooLarge", f"the answer's headers alone have more than {most_bytes} bytes")
        return Tried(too_large, reached=True)
    result = msgspec.Raw(made.json)
    if answer.status < _ERROR:
        return Tried(Outcome(status="SUCCESS", result=result, warnings=made.warnings), reached=True)
    failed = failure("HTTPError", sentence_of(answer, sent.hidden))
    outcome = msgspec.structs.replace(failed, result=result, warnings=made.warnings)
    asked = asked_s(answer.headers.get("retry-after", ""), now=time.time())
    return Tried(outcome, reached=True, passes=is_passing(answer.status), asked_s=asked)


def _late(error: Exception, timeout_s: float) -> Outcome:
    if isinstance(error, httpx.ConnectTimeout):
        return failure("ConnectTimeout", str(error))
    return failure("TimeoutError", f"the webhook took longer than {timeout_s:g} s")


def _name(error: httpx.HTTPError) -> str:
    return "ConnectError" if isinstance(error, httpx.ConnectError) else "NetworkError"


def _endpoint(function: Function) -> str:
    """Scheme, host and port, as its tenant finds it: one whose bounds are too short must bring no other into doubt."""
    scheme, _, rest = function.webhook_url.partition("://")
    return f"{function.tenant} {scheme}://{rest.replace('?', '/').replace('#', '/').partition('/')[0]}".lower()


async def open_for(opening: Opening) -> ProxyMode:
    """Open the mode with an executor's settings. Raises ConfigError."""
    executor = opening.executor
    client = egress.open_client(
        opening.platform,
        timeout_s=opening.platform.max_timeout_s,
        idle_connections=executor.proxy_idle_connections,
        idle_s=executor.proxy_idle_s,
    )
    return ProxyMode(
        client,
        opening.keyring,
        slots=executor.proxy_slots,
        share=executor.proxy_share,
        trial=executor.proxy_trial_slots,
    )
