"""What is sent to a webhook: the payload, the headers, and who the function is. Pure, but for the keyring."""

import base64
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from services.executor.mode import Call
from shared import __version__
from shared.domain.credentials import DEFAULT_KEY_HEADER, AuthConfig, place_of, with_secrets
from shared.domain.function import Function
from shared.domain.request import Header
from shared.secrets import Keyring

USER_AGENT = f"Shoal/{__version__}"
_LEAST_HIDDEN = 6  # characters; what is shorter is found in any text


class Envelope(NamedTuple):
    """A request to be. `ours` goes wherever the request does, `theirs` only to the origin that the function names.

    `hidden` are the texts that must not be kept, should the answer repeat them.
    """

    body: bytes
    ours: dict[str, str]
    theirs: dict[str, str]
    hidden: list[str]


def envelope(call: Call, function: Function, keyring: Keyring, *, trace: Sequence[Header] = ()) -> Envelope:
    """The request of a call, with the lines of its `trace`. Raises SealBrokenError where a secret cannot be opened."""
    plain = _opened(function, keyring)
    who = _credentials(plain)
    body = msgspec.json.encode(
        {
            "params": msgspec.Raw(call.params),
            "context": {"function": call.context["function"], "user": call.context["user"]},
        }
    )
    ours = {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "X-Execution-ID": call.task_id,
        "Idempotency-Key": call.task_id,
        **dict(trace),
    }
    hidden = [text for text in who.values() if len(text) >= _LEAST_HIDDEN]
    hidden += [text.partition(" ")[2] for text in hidden if text.startswith(("Bearer ", "Basic "))]
    if plain.get("type") == "basic":
        hidden.append(plain["password"])
    return Envelope(body, ours, _merged(function.headers, who), [text for text in hidden if len(text) >= _LEAST_HIDDEN])


def _opened(function: Function, keyring: Keyring) -> AuthConfig:
    def opened(where: str, sealed: str) -> str:
        return keyring.unseal(sealed, place=place_of(function.tenant, function.id, where)).decode()

    return with_secrets(function.auth_config, opened)


def _credentials(config: AuthConfig) -> dict[str, str]:
    match config.get("type"):
        case "bearer":
            return {"Authorization": f"Bearer {config['token']}"}
        case "api_key":
            return {config.get("header", DEFAULT_KEY_HEADER): config["key"]}
        case "basic":
            pair = f"{config['username']}:{config['password']}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        case "custom":
            return dict(config["headers"])
    return {}


def _merged(headers: dict[str, str], who: dict[str, str]) -> dict[str, str]:
    """A header of the credentials stands against one of the same name, however it is spelled."""
    names = {name.lower() for name in who}
    return {name: value for name, value in headers.items() if name.lower() not in names} | who
