"""Functions with a webhook: deployed, and what is stored of them opened with the operator's key."""

import base64
from typing import Any

from shared.domain import signing_secrets
from shared.domain.app import public_id
from shared.domain.signing_secrets import PREFIX, SigningSecrets
from shared.domain.trigger import trigger_place
from shared.secrets import Keyring
from shared.store.client import Store
from tests.api.apps.shop import Shop


def hook(**config: Any) -> dict[str, Any]:
    """The fields of a deployment with a webhook and nothing else."""
    return {"triggers": [{"type": "webhook", "config": config}]}


def is_generated(secret: str) -> bool:
    """Whether it has the form of those that are made: 32 bytes."""
    return secret.startswith(PREFIX) and len(base64.b64decode(secret.removeprefix(PREFIX), validate=True)) == 32


class Hooks:
    """What is stored of the functions of a shop."""

    def __init__(self, shop: Shop, store: Store, keyring: Keyring) -> None:
        self.shop = shop
        self.store = store
        self.keyring = keyring

    async def record(self, made: dict[str, Any]) -> dict[str, Any]:
        found = await self.store.table("functions", "default").one({"id": int(made["id"])})
        assert found is not None
        return found

    async def sealed(self, made: dict[str, Any]) -> str:
        """The text that is stored."""
        [found] = [one for one in (await self.record(made))["triggers"] if one["type"] == "webhook"]
        return str(found["config"]["secret"])

    async def secrets(self, made: dict[str, Any]) -> SigningSecrets:
        """What it says."""
        place = trigger_place("default", int(made["id"]), "webhook")
        return signing_secrets.opened(self.keyring.unseal(await self.sealed(made), place=place))

    async def texts(self, made: dict[str, Any]) -> list[str]:
        """Its secrets themselves, the newest first."""
        return [one.secret for one in (await self.secrets(made)).secrets]

    async def put(self, made: dict[str, Any], sealed: str) -> None:
        """Have another text stored, as it may have been by others."""
        record = await self.record(made)
        for trigger in record["triggers"]:
            if trigger["type"] == "webhook":
                trigger["config"]["secret"] = sealed
        await self.store.table("functions", "default").set_all({"id": record["id"]}, {"triggers": record["triggers"]})

    async def url(self, made: dict[str, Any]) -> str:
        """The URL that it is to have, by what is stored."""
        record = await self.record(made)
        app = public_id("default", record["app"])
        signature = (await self.secrets(made)).url_signature(app, record["deployed_as"])
        return f"{str(self.shop.client.base_url).rstrip('/')}/v1/{app}/webhook/{record['deployed_as']}?sig={signature}"
