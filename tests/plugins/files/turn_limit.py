"""
title: Turn limit
author: The people of the reef
version: 0.4
description: Ends conversations that go on for too long. Users may set a lower limit for themselves.
"""

from typing import Optional

from pydantic import BaseModel, Field


class Filter:
    class Valves(BaseModel):
        priority: int = 1
        max_turns: int = Field(default=8, ge=1, description="The longest conversation, in turns of the user.")
        warn_before: int = Field(default=2, ge=0, description="Turns before the end at which a notice is given.")

    class UserValves(BaseModel):
        max_turns: Optional[int] = Field(default=None, ge=1, description="An own limit, lower than that of the house.")

    def __init__(self):
        self.valves = self.Valves()

    def limit_for(self, user: Optional[dict]) -> int:
        own = user["valves"].max_turns if user else None
        return self.valves.max_turns if own is None else min(own, self.valves.max_turns)

    async def inlet(self, body: dict, __user__: Optional[dict] = None, __event_emitter__=None) -> dict:
        turns = sum(1 for message in body.get("messages", []) if message["role"] == "user")
        limit = self.limit_for(__user__)
        if turns > limit:
            raise Exception(f"This conversation has {turns} turns, {limit} are allowed: begin a new one")
        left = limit - turns
        if left <= self.valves.warn_before and __event_emitter__:
            await __event_emitter__(
                {
                    "type": "notification",
                    "data": {"type": "warning", "content": f"{left} turns are left in this conversation"},
                }
            )
        return body
