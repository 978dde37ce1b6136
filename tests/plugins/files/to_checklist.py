"""
title: Make a checklist
author: The people of the reef
version: 0.3.0
icon_url: data:image/svg+xml;base64,PHN2Zy8+
description: Turns an answer into a list of what is to be done, and says how far it is.
"""

import re
from typing import Optional

from pydantic import BaseModel, Field


class Action:
    class Valves(BaseModel):
        mark: str = Field(default="- [ ] ", description="What each line begins with.")
        confirm: bool = Field(default=False, description="Whether the user is asked before.")
        most_items: int = Field(default=50, ge=1)

    class UserValves(BaseModel):
        show_status: bool = Field(default=True, description="Whether progress is shown.")

    actions = [
        {"id": "checklist", "name": "Checklist"},
        {"id": "numbered", "name": "Numbered list"},
    ]

    def __init__(self):
        self.valves = self.Valves()

    async def status(self, emit, user: Optional[dict], description: str, done: bool = False) -> None:
        if emit and (user is None or user["valves"].show_status):
            await emit({"type": "status", "data": {"description": description, "done": done, "hidden": False}})

    async def action(
        self,
        body: dict,
        __user__: Optional[dict] = None,
        __event_emitter__=None,
        __event_call__=None,
        __id__: Optional[str] = None,
    ) -> Optional[dict]:
        if self.valves.confirm:
            answer = await __event_call__(
                {"type": "confirmation", "data": {"title": "Checklist", "message": "Replace the message?"}}
            )
            if not answer:
                return None
        await self.status(__event_emitter__, __user__, "Reading the message")
        message = body["messages"][-1]
        items = [item.strip() for item in re.split(r"[.;\n]+", message["content"]) if item.strip()]
        kept = items[: self.valves.most_items]
        if __id__ and __id__.endswith("numbered"):
            lines = [f"{number}. {item}" for number, item in enumerate(kept, start=1)]
        else:
            lines = [self.valves.mark + item for item in kept]
        if len(kept) < len(items) and __event_emitter__:
            left_out = f"{len(items) - len(kept)} items are left out"
            await __event_emitter__({"type": "notification", "data": {"type": "info", "content": left_out}})
        await self.status(__event_emitter__, __user__, f"{len(kept)} items", done=True)
        return {"messages": [{"id": message.get("id"), "content": "\n".join(lines)}]}
