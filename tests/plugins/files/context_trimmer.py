"""
title: Context trimmer
author: The people of the reef
version: 3.1
required_open_webui_version: 0.5.0
description: Leaves out old messages where a conversation is longer than a model can read.
"""

from typing import List, Optional

from pydantic import BaseModel, Field


class Filter:
    class Valves(BaseModel):
        priority: int = Field(default=-10, ge=-100, le=100, description="Before everything else, so that all see less.")
        max_tokens: int = Field(default=4000, gt=0, description="What the model can read, estimated.")
        keep_first: int = Field(default=1, ge=0, description="Messages at the beginning that always stay.")
        strategy: str = Field(
            default="oldest",
            description="Which messages go first.",
            json_schema_extra={"input": {"type": "select", "options": "strategies"}},
        )
        characters_per_token: float = Field(default=4.0, gt=0)

        @classmethod
        def strategies(cls, __user__=None) -> List[dict]:
            found = [
                {"value": "oldest", "label": "The oldest"},
                {"value": "longest", "label": "The longest"},
            ]
            if __user__ and __user__.get("role") == "admin":
                found.append({"value": "none", "label": "None, and fail"})
            return found

    def __init__(self):
        self.valves = self.Valves()
        self.toggle = True
        self.icon = "data:image/svg+xml;base64,PHN2Zy8+"

    def tokens(self, message: dict) -> float:
        return len(message.get("content") or "") / self.valves.characters_per_token + 3

    def to_leave_out(self, messages: List[dict]) -> Optional[int]:
        """The place of the next message that goes; the last one never does."""
        places = list(range(self.valves.keep_first, len(messages) - 1))
        if not places:
            return None
        if self.valves.strategy == "longest":
            return max(places, key=lambda place: (self.tokens(messages[place]), -place))
        return places[0]

    async def inlet(self, body: dict, __event_emitter__=None, __model__: Optional[dict] = None) -> dict:
        messages = list(body.get("messages", []))
        most = (__model__ or {}).get("max_tokens", self.valves.max_tokens)
        left_out = 0
        while sum(map(self.tokens, messages)) > most:
            if self.valves.strategy == "none":
                raise ValueError(f"The conversation has more than {most} tokens")
            place = self.to_leave_out(messages)
            if place is None:
                break
            del messages[place]
            left_out += 1
        if left_out and __event_emitter__:
            described = f"{left_out} messages were left out"
            await __event_emitter__({"type": "status", "data": {"description": described, "done": True}})
        body["messages"] = messages
        return body
