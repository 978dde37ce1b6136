"""
title: Typewriter
author: The people of the reef
version: 1.1
description: Answers word by word, as models do: as texts, or as the pieces that their clients expect.
"""

import asyncio
from typing import AsyncGenerator, Generator, Literal, Union

from pydantic import BaseModel, Field


class Pipe:
    class Valves(BaseModel):
        shape: Literal["text", "chunks"] = Field(default="text")
        is_async: bool = Field(default=False, description="Whether the pieces come from an async generator.")
        delay_seconds: float = Field(default=0.0, ge=0, le=1)

    def __init__(self):
        self.valves = self.Valves()

    def answer_to(self, body: dict) -> str:
        question = body["messages"][-1]["content"]
        return f"You have said: {question}"

    def piece(self, word: str, index: int) -> Union[str, dict]:
        text = word if index == 0 else f" {word}"
        if self.valves.shape == "text":
            return text
        return {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]}

    def pieces(self, answer: str) -> Generator:
        for index, word in enumerate(answer.split()):
            yield self.piece(word, index)

    async def slow_pieces(self, answer: str, emit) -> AsyncGenerator:
        for index, word in enumerate(answer.split()):
            await asyncio.sleep(self.valves.delay_seconds)
            yield self.piece(word, index)
        if emit:
            await emit({"type": "status", "data": {"description": "All said", "done": True}})

    async def pipe(self, body: dict, __event_emitter__=None) -> Union[str, Generator, AsyncGenerator]:
        answer = self.answer_to(body)
        if not body.get("stream", False):
            return answer
        if self.valves.is_async:
            return self.slow_pieces(answer, __event_emitter__)
        return self.pieces(answer)
