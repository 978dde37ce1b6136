"""
title: Redaction of personal data
author: The people of the reef
author_url: https://example.org/reef
version: 2.0.1
license: Apache-2.0
description: Takes e-mail addresses, card numbers and what else is asked for out of what is sent and answered.
"""

import re
from typing import Dict, List, Optional

from pydantic import BaseModel, Field, field_validator

EMAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
CARD = r"\b(?:\d[ -]?){12,18}\d\b"


def passes_luhn(number: str) -> bool:
    """Whether the digits of a card number add up, so that order numbers are left alone."""
    digits = [int(character) for character in number if character.isdigit()]
    total = 0
    for place, digit in enumerate(reversed(digits)):
        if place % 2:
            digit = digit * 2 - 9 if digit > 4 else digit * 2
        total += digit
    return total % 10 == 0


class Filter:
    class Valves(BaseModel):
        priority: int = 10
        redact_emails: bool = True
        redact_cards: bool = True
        patterns: Dict[str, str] = Field(default={}, description="More patterns, by the word put in their place.")
        roles: List[str] = Field(default=["user", "assistant"], description="Whose messages are looked at.")

        @field_validator("patterns")
        @classmethod
        def patterns_compile(cls, value):
            for word, pattern in value.items():
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise ValueError(f"{word} is not a regular expression: {error}")
            return value

    def __init__(self):
        self.valves = self.Valves()

    def clean(self, text: str) -> str:
        if self.valves.redact_emails:
            text = re.sub(EMAIL, "[EMAIL]", text)
        if self.valves.redact_cards:
            text = re.sub(CARD, lambda found: "[CARD]" if passes_luhn(found.group()) else found.group(), text)
        for word, pattern in self.valves.patterns.items():
            text = re.sub(pattern, f"[{word}]", text)
        return text

    def clean_messages(self, body: dict) -> dict:
        for message in body.get("messages", []):
            if message.get("role") not in self.valves.roles:
                continue
            content = message.get("content")
            if isinstance(content, str):
                message["content"] = self.clean(content)
            elif isinstance(content, list):
                for part in content:
                    if part.get("type") == "text":
                        part["text"] = self.clean(part["text"])
        return body

    def inlet(self, body: dict, __user__: Optional[dict] = None) -> dict:
        return self.clean_messages(body)

    def outlet(self, body: dict, __user__: Optional[dict] = None) -> dict:
        return self.clean_messages(body)
