"""Text and push messages by an HTTP provider of the operator's choice."""

import time
from typing import Any

import httpx
import msgspec

from shared.config import ConfigError
from shared.domain.retry import asked_s, is_passing
from shared.egress import EgressRefused
from shared.system import Failure, Retryable

TIMEOUT_S = 20.0
_ANSWER_BYTES = 64 << 10
_SAID = 300  # characters of what the provider says
_SUCCESS = range(200, 300)


class Provider:
    """One address to which messages are posted as JSON."""

    def __init__(self, url: str, *, token: str, client: httpx.AsyncClient) -> None:
        self._url = url
        self._token = token
        self._client = client

    async def send(self, message: dict[str, Any], *, task_id: str) -> dict[str, Any]:
        """Post it. The task id goes along, so that a provider that cares sends a repeat once.

        Raises Retryable where another try may end better, Failure where it would not.
        """
        headers = {"content-type": "application/json", "idempotency-key": task_id}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        try:
            async with self._client.stream(
                "POST", self._url, content=msgspec.json.encode(message), headers=headers, follow_redirects=False
            ) as response:
                body = await _read(response)
        except EgressRefused as error:
            raise Failure("NotConfigured", f"The provider's address may not be used: {error}") from None
        except (httpx.HTTPError, httpx.InvalidURL):
            message_ = "The provider cannot be reached"
            raise Retryable(message_, error_type="ProviderUnavailable") from None
        said = f"The provider answered {response.status_code}: {body[:_SAID].decode('utf-8', 'replace')}"
        if is_passing(response.status_code):
            pause_s = asked_s(response.headers.get("retry-after", ""), now=time.time())
            raise Retryable(said, after_s=pause_s, error_type="ProviderUnavailable")
        if response.status_code not in _SUCCESS:
            raise Failure("ProviderRefused", said)
        return {"status": response.status_code, "response": _value(body)}


async def _read(response: httpx.Response) -> bytes:
    """The answer, as far as it is of use."""
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > _ANSWER_BYTES:
            break
    return body[:_ANSWER_BYTES]


def _value(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8", "replace")


def open_provider(name: str, url: str, *, token: str, client: httpx.AsyncClient) -> Provider | None:
    """The way for one kind of message, None where there is none. Raises ConfigError."""
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        message = f"SHOAL_{name}_URL: must begin with http:// or https://"
        raise ConfigError(message)
    return Provider(url, token=token, client=client)
