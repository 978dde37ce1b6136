"""
title: Prompt of one's own
author: The people of the reef
version: 1.0
description: Puts a system prompt before each conversation, written with what the user has set for himself.
"""

from datetime import datetime, timezone
from typing import Literal, Optional

from pydantic import BaseModel, Field


class Filter:
    class Valves(BaseModel):
        priority: int = 5
        template: str = Field(
            default="You speak with {{user_name}}. Answer in {{language}}, in a {{tone}} tone.{{extra}}",
            description="{{user_name}}, {{user_email}}, {{language}}, {{tone}}, {{extra}} and {{date}} are filled in.",
        )
        replace_existing: bool = Field(default=False, description="Whether a system prompt that is there gives way.")

    class UserValves(BaseModel):
        language: str = Field(default="English", min_length=2, max_length=40)
        tone: Literal["friendly", "formal", "terse"] = Field(default="friendly")
        extra: str = Field(default="", max_length=500, description="Anything else that should be kept in mind.")

    def __init__(self):
        self.valves = self.Valves()

    def fill(self, user: dict) -> str:
        own = user["valves"]
        values = {
            "user_name": user["name"],
            "user_email": user["email"],
            "language": own.language,
            "tone": own.tone,
            "extra": f" {own.extra}" if own.extra else "",
            "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        }
        text = self.valves.template
        for name, value in values.items():
            text = text.replace("{{" + name + "}}", value)
        return text

    async def inlet(self, body: dict, __user__: Optional[dict] = None) -> dict:
        if __user__ is None:
            return body
        messages = body.get("messages", [])
        is_there = bool(messages) and messages[0]["role"] == "system"
        prompt = self.fill(__user__)
        if is_there and self.valves.replace_existing:
            messages = messages[1:]
        elif is_there:
            prompt = f"{messages[0]['content']}\n\n{prompt}"
            messages = messages[1:]
        body["messages"] = [{"role": "system", "content": prompt}, *messages]
        return body
