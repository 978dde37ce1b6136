"""
title: Rate limit by user
author: The people of the reef
version: 1.2.0
license: Apache-2.0
description: Lets each user send so many messages in a window of time. What is over it is refused.
"""

import time
from typing import Optional

from pydantic import BaseModel, Field


class Filter:
    class Valves(BaseModel):
        priority: int = Field(default=0, description="Filters run in ascending order of this.")
        requests_per_window: int = Field(default=20, ge=1, le=1000, description="Messages that one user may send.")
        window_seconds: int = Field(default=60, ge=1, le=2592000, description="How long a window is.")
        exempt_roles: list[str] = Field(default=[], description="Roles that are not counted.")

    def __init__(self):
        self.valves = self.Valves()

    def first_free_place(self, claims, user_id: str) -> Optional[int]:
        """Each message of a window takes a place of its own, whichever worker it comes to."""
        window = int(time.time()) // self.valves.window_seconds
        for place in range(self.valves.requests_per_window):
            if claims.claim(
                f"{user_id}/{window}/{place}",
                scope="messages",
                ttl_seconds=self.valves.window_seconds,
            ):
                return place
        return None

    async def inlet(self, body: dict, __user__: Optional[dict] = None, __ctx__=None) -> dict:
        user = __user__ or {"id": "anonymous", "role": "user"}
        if user["role"] in self.valves.exempt_roles:
            return body
        place = self.first_free_place(__ctx__.idempotency, user["id"])
        if place is None:
            raise Exception(
                f"Rate limit exceeded: {self.valves.requests_per_window} messages "
                f"in {self.valves.window_seconds} seconds"
            )
        body.setdefault("metadata", {})["place"] = place
        return body
