"""
title: Text models
author: The people of the reef
version: 0.9.2
description: Two models in one pipe: one says what is most important in a text, the other what is in it how often.
"""

import re
from collections import Counter
from typing import Dict, List, Union

from pydantic import BaseModel, Field

STOP_WORDS = {"a", "an", "and", "are", "as", "at", "be", "by", "for", "in", "is", "it", "of", "on", "or", "the", "to"}


class Pipe:
    class Valves(BaseModel):
        NAME_PREFIX: str = Field(default="text/", description="What the names of the models begin with.")
        MAX_SENTENCES: int = Field(default=2, ge=1, le=20)
        MAX_WORDS: int = Field(default=5, ge=1, le=100)

    def __init__(self):
        self.type = "manifold"
        self.id = "text_models"
        self.valves = self.Valves()

    def pipes(self) -> List[Dict[str, str]]:
        prefix = self.valves.NAME_PREFIX
        return [
            {"id": "summary", "name": f"{prefix}summary"},
            {"id": "keywords", "name": f"{prefix}keywords"},
        ]

    def words_of(self, text: str) -> List[str]:
        return [word for word in re.findall(r"\w+", text.lower()) if word not in STOP_WORDS]

    def summary(self, text: str) -> str:
        sentences = re.split(r"(?<=[.!?])\s+", text.strip())
        counted = Counter(self.words_of(text))
        ranked = sorted(
            range(len(sentences)),
            key=lambda number: (-sum(counted[word] for word in self.words_of(sentences[number])), number),
        )
        chosen = sorted(ranked[: self.valves.MAX_SENTENCES])
        return " ".join(sentences[number] for number in chosen)

    def keywords(self, text: str) -> Dict[str, int]:
        return dict(Counter(self.words_of(text)).most_common(self.valves.MAX_WORDS))

    def pipe(self, body: dict, __user__: dict = {}) -> Union[str, Dict[str, int]]:
        model = body["model"].split(".")[-1]
        text = body["messages"][-1]["content"]
        if model == "summary":
            return self.summary(text)
        if model == "keywords":
            return self.keywords(text)
        raise ValueError(f"There is no model {model!r}")
