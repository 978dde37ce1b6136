"""
title: Signed request
author: The people of the reef
version: 0.2.0
description: Prepares a request to a service that wants it signed. The key stays here, the signature goes out.
"""

import hashlib
import hmac
import json
from typing import Optional
from urllib.parse import quote

from pydantic import BaseModel, Field


class Pipe:
    class Valves(BaseModel):
        api_key: str = Field(
            default="",
            description="The key that requests are signed with.",
            json_schema_extra={"input": {"type": "password"}},
        )
        key_id: str = Field(default="default", pattern=r"^[a-z0-9-]+$")
        base_url: str = Field(default="https://api.example.org/v1")
        algorithm: str = Field(
            default="sha256",
            json_schema_extra={"input": {"type": "select", "options": ["sha256", "sha512"]}},
        )

    def __init__(self):
        self.name = "Signed request"
        self.valves = self.Valves()

    def sign(self, path: str, payload: str) -> str:
        kind = hashlib.sha512 if self.valves.algorithm == "sha512" else hashlib.sha256
        signed = f"{path}\n{payload}".encode()
        return hmac.new(self.valves.api_key.encode(), signed, kind).hexdigest()

    async def pipe(self, body: dict, __user__: Optional[dict] = None, __metadata__: Optional[dict] = None) -> dict:
        if not self.valves.api_key:
            return {"error": {"detail": "No key is set: an administrator sets it as the valve api_key"}}
        path = "/chat/" + quote(body.get("model", "default"), safe="")
        asked = {"messages": body["messages"], "user": __user__["id"] if __user__ else None}
        payload = json.dumps(asked, sort_keys=True, separators=(",", ":"))
        return {
            "url": self.valves.base_url + path,
            "headers": {
                "X-Key-Id": self.valves.key_id,
                "X-Signature": f"{self.valves.algorithm}={self.sign(path, payload)}",
                "X-Chat-Id": (__metadata__ or {}).get("chat_id", ""),
            },
            "body": payload,
        }
