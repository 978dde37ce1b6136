"""
title: Citations and length
author: The people of the reef
version: 1.4
description: Names the sources that an answer refers to, counts its words, and hides what a model has only thought.
"""

import re
from typing import Optional

from pydantic import BaseModel, Field

REFERENCE = re.compile(r"\[(\d+)\]")


class Filter:
    class Valves(BaseModel):
        priority: int = 50
        count_words: bool = True
        footer: str = Field(default="\n\n---\n{{words}} words", description="{{words}} is the number of words.")
        hidden_marks: list[str] = Field(default=["<think>", "</think>"], description="Left out of what is streamed.")

    def __init__(self):
        self.valves = self.Valves()

    def stream(self, event: dict) -> dict:
        for choice in event.get("choices", []):
            delta = choice.get("delta", {})
            text = delta.get("content")
            if text:
                for mark in self.valves.hidden_marks:
                    text = text.replace(mark, "")
                delta["content"] = text
        return event

    async def outlet(
        self,
        body: dict,
        __event_emitter__=None,
        __metadata__: Optional[dict] = None,
    ) -> dict:
        message = body["messages"][-1]
        sources = (__metadata__ or {}).get("sources", [])
        named = sorted({int(number) for number in REFERENCE.findall(message["content"])})
        for number in named:
            if not 0 < number <= len(sources):
                continue
            source = sources[number - 1]
            await __event_emitter__(
                {
                    "type": "source",
                    "data": {
                        "source": {"name": source["name"], "url": source["url"]},
                        "document": [source.get("text", "")],
                        "metadata": [{"source": source["url"], "number": number}],
                    },
                }
            )
        message["sources"] = [sources[number - 1]["url"] for number in named if 0 < number <= len(sources)]
        if self.valves.count_words:
            words = len(REFERENCE.sub(" ", message["content"]).split())
            message["content"] += self.valves.footer.replace("{{words}}", str(words))
        return body
