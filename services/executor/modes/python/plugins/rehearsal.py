"""A plugin called and looked into once before there are workers: pydantic imports much of itself at its first use."""

from typing import Literal

from services.executor.modes.python.frames import CallFrame, ExamineFrame, PluginFrame

SOURCE = b"""
from datetime import datetime
from typing import Literal, Optional
from pydantic import BaseModel, Field, field_validator

class Filter:
    class Valves(BaseModel):
        priority: int = Field(default=0, ge=0)
        mode: Literal["a", "b"] = "a"
        words: list[str] = Field(default_factory=list)
        limits: dict[str, float] = {}
        since: Optional[datetime] = None
        chosen: str = Field(default="", json_schema_extra={"input": {"type": "select", "options": "choices"}})

        @field_validator("priority")
        @classmethod
        def check(cls, value):
            if value > 10:
                raise ValueError("too much")
            return value

        @classmethod
        def choices(cls):
            return ["x"]

    def __init__(self):
        self.valves = self.Valves()

    async def inlet(self, body, __event_emitter__):
        await __event_emitter__({"type": "status", "data": self.valves.model_dump(mode="json")})
        return {"valves": self.valves}
"""

_VALUES = b'{"priority": "3", "since": "2024-01-01T00:00:00Z", "limits": {"a": 1}}'
_MISFIT = b'{"priority": 11, "mode": "c"}'


def calls() -> list[CallFrame]:
    """What is rehearsed; every one of them succeeds."""
    return [
        _call(plugin=PluginFrame("rehearsed", _VALUES)),
        _look("code", _VALUES),
        _look("code", _MISFIT),
        _look("spec", b""),
        _look("values", _VALUES),
        _look("values", _MISFIT),
    ]


def _look(what: Literal["code", "spec", "values"], values: bytes) -> CallFrame:
    return _call(examine=ExamineFrame(what, "valves", values))


def _call(*, plugin: PluginFrame | None = None, examine: ExamineFrame | None = None) -> CallFrame:
    return CallFrame(
        1, b"{}", {}, output_bytes=1000, log_lines=10, result_bytes=10_000, memory_mb=1, plugin=plugin, examine=examine
    )
