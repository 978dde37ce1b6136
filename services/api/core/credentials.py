"""What functions say to others of who they are: sealed before it is stored, masked when it is shown."""

from typing import Any

from shared.domain.credentials import MASK, AuthConfig, place_of, secrets_of, with_secrets
from shared.domain.problem import Problem
from shared.secrets import Keyring


class Credentials:
    """Seals the secret parts of an `auth_config`, each bound to its function and its place in it."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def sealed(
        self, config: AuthConfig, *, tenant: str, function_id: int, before: AuthConfig | None = None
    ) -> dict[str, Any]:
        """What to store of a checked config. A secret that is sent as its mask is the one that was there `before`.

        Raises Problem(invalid, unavailable).
        """
        before = before or {}
        kept = secrets_of(before) if before.get("type") == config.get("type") else {}

        def sealed(where: str, text: str) -> str:
            if text == MASK:
                return _kept(kept, where)
            return self._keyring.seal(text.encode(), place=place_of(tenant, function_id, where))

        return with_secrets(config, sealed)


def _kept(kept: dict[str, str], where: str) -> str:
    if where not in kept:
        field = f"auth_config.{where.replace('/', '.')}"
        message = f"{field} is masked, and none is stored that it could stand for; send the secret itself"
        raise Problem("invalid", message, {field: message})
    return kept[where]
